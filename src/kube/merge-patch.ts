import { isDeepStrictEqual } from 'node:util';

/**
 * The JSON merge patch (RFC 7386) that makes `to` of `from`; undefined when they are equal. Members that `to` lacks become
 * null; arrays are replaced whole. Members that are undefined count as absent. Nothing in `to` may be null.
 */
export function makeMergePatch(from: object, to: object): Record<string, unknown> | undefined {
  const before: Record<string, unknown> = { ...from };
  const after: Record<string, unknown> = { ...to };
  const patch: Record<string, unknown> = {};
  for (const name of new Set([...Object.keys(before), ...Object.keys(after)])) {
    const change = makeMemberPatch(before[name], after[name]);
    if (change !== undefined) patch[name] = change;
  }
  return Object.keys(patch).length === 0 ? undefined : patch;
}

/** Undefined: the member stays as it is. */
function makeMemberPatch(before: unknown, after: unknown): unknown {
  if (after === undefined) return before === undefined ? undefined : null;
  if (isPlainObject(before) && isPlainObject(after)) return makeMergePatch(before, after);
  return isDeepStrictEqual(before, after) ? undefined : after;
}

function isPlainObject(value: unknown): value is object {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
