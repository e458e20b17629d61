import type { JsonObject } from './run.ts';

/** Deeper than any payload known, and shallow enough that no store of ours, nor a stack, is strained. */
export const MAX_DEPTH = 64;
/**
 * Postgres writes numbers in jsonb out in full, 1e300 as 301 digits: unbounded, a body of 10 MiB comes back as half a
 * gigabyte, which no process of ours survives. This is as much again as the largest body, far beyond any payload known.
 */
export const WRITTEN_OUT_LIMIT = 10 * 1024 * 1024;

/** What some store of ours could not keep as it is, and where: `data.vulnerabilities[3].message`. */
export interface Unstorable {
  readonly path: string;
  /** A sentence without its subject: `must not hold …`. */
  readonly message: string;
}

/**
 * Finds the first thing in a parsed JSON value that would not come back as it went in: strings or keys
 * with NUL or a lone surrogate (Postgres refuses them), numbers beyond a double, numbers with exponents beyond
 * so many digits together, nesting beyond {@link MAX_DEPTH}, and keys that reach for a prototype. `path` names the value itself in what is found; a
 * value that has one lies a level down in its document, and is allowed a level less.
 */
export function findUnstorable(
  value: unknown,
  path = '',
  writtenOutLimit = WRITTEN_OUT_LIMIT,
): Unstorable | undefined {
  const bad = search(value, path === '' ? 0 : 1, { digits: writtenOutLimit, limit: writtenOutLimit });
  return bad && { path: spellPath(path, bad.steps.toReversed()), message: bad.message };
}

/** Whether Postgres keeps this string as it is. */
export function isStorableText(text: string): boolean {
  return !text.includes('\0') && text.isWellFormed();
}

/** One step down into a value: a key or an index. */
export type PathStep = string | number;

/** Spells a path as JavaScript would, cut where a hostile document makes it unreadably long. */
export function spellPath(root: string, steps: readonly PathStep[]): string {
  let path = root;
  for (const step of steps) {
    path += spellStep(step, path === '');
    if (path.length > PATH_LIMIT) return `${path.slice(0, PATH_LIMIT)}…`.toWellFormed();
  }
  return path;
}

interface Found {
  readonly message: string;
  /** Innermost first. */
  readonly steps: PathStep[];
}

/** What numbers with exponents may still take when they are written out. */
interface Room {
  digits: number;
  readonly limit: number;
}

const PATH_LIMIT = 200;
const IDENTIFIER = /^[A-Za-z_$][\w$]*$/;

function spellStep(step: PathStep, first: boolean): string {
  if (typeof step === 'number') return `[${step}]`;
  if (!IDENTIFIER.test(step)) return `[${JSON.stringify(step.slice(0, PATH_LIMIT))}]`;
  return first ? step : `.${step}`;
}

function search(value: unknown, depth: number, room: Room): Found | undefined {
  if (typeof value === 'string') {
    return isStorableText(value) ? undefined : found('must not hold NUL or a lone surrogate');
  }
  if (typeof value === 'number') return searchNumber(value, room);
  if (typeof value !== 'object' || value === null) return undefined;
  if (depth === MAX_DEPTH) return found(`must not be nested deeper than ${MAX_DEPTH} levels`);
  if (Array.isArray(value)) return searchArray(value, depth, room);
  return searchObject(value as JsonObject, depth, room);
}

function searchNumber(value: number, room: Room): Found | undefined {
  if (!Number.isFinite(value)) return found('must be a number that a double can hold');
  const size = Math.abs(value);
  // JavaScript writes all others out itself (ECMA-262, Number::toString).
  if (value === 0 || (size >= 1e-6 && size < 1e21)) return undefined;
  room.digits -= Math.abs(Math.log10(size));
  return room.digits < 0
    ? found(`must not bring the numbers, written out in full, beyond ${room.limit} digits`)
    : undefined;
}

function searchArray(array: readonly unknown[], depth: number, room: Room): Found | undefined {
  for (let index = 0; index < array.length; index++) {
    const inner = search(array[index], depth + 1, room);
    if (inner !== undefined) return within(inner, index);
  }
  return undefined;
}

function searchObject(object: JsonObject, depth: number, room: Room): Found | undefined {
  // `Object.entries` takes twice as long, since it makes an array for each member.
  for (const key of Object.keys(object)) {
    const value = object[key];
    const inner = findBadKey(key, value) ?? search(value, depth + 1, room);
    if (inner !== undefined) return within(inner, key);
  }
  return undefined;
}

function findBadKey(key: string, value: unknown): Found | undefined {
  if (!isStorableText(key)) return found('must not have a key with NUL or a lone surrogate');
  if (key === '__proto__') return found('must not be used as a key');
  const reachesPrototype =
    key === 'constructor' && typeof value === 'object' && value !== null && Object.hasOwn(value, 'prototype');
  return reachesPrototype ? { message: 'must not be used as a key', steps: ['prototype'] } : undefined;
}

function found(message: string): Found {
  return { message, steps: [] };
}

function within(inner: Found, step: PathStep): Found {
  inner.steps.push(step);
  return inner;
}
