import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { makeMergePatch } from './merge-patch.ts';

test.each([
  { name: 'equal', from: { a: 1, b: [{ c: 2 }] }, to: { b: [{ c: 2 }], a: 1 }, want: undefined },
  { name: 'equal but for undefined', from: { a: 1 }, to: { a: 1, b: undefined }, want: undefined },
  { name: 'a member more', from: {}, to: { a: 1 }, want: { a: 1 } },
  { name: 'a member less', from: { a: 1, b: 2 }, to: { b: 2 }, want: { a: null } },
  { name: 'deep down', from: { a: { b: 1, c: 2 } }, to: { a: { b: 1, c: 3 } }, want: { a: { c: 3 } } },
  { name: 'an array is replaced whole', from: { a: [1, 2] }, to: { a: [1] }, want: { a: [1] } },
  { name: 'an array for an object', from: { a: { b: 1 } }, to: { a: [1] }, want: { a: [1] } },
  { name: 'an object for a number', from: { a: 1 }, to: { a: { b: 1 } }, want: { a: { b: 1 } } },
])('$name', ({ from, to, want }) => {
  expect(makeMergePatch(from, to)).toEqual(want);
});

/** RFC 7386, section 2, word for word. */
function mergePatch(target: unknown, patch: unknown): unknown {
  if (typeof patch !== 'object' || patch === null || Array.isArray(patch)) return patch;
  const isObject = typeof target === 'object' && target !== null && !Array.isArray(target);
  const merged: Record<string, unknown> = isObject ? { ...target } : {};
  for (const [name, value] of Object.entries(patch)) {
    if (value === null) delete merged[name];
    else merged[name] = mergePatch(merged[name], value);
  }
  return merged;
}

test('whatever the two, the patch makes one of the other', () => {
  const { object } = fc.letrec((tie) => ({
    object: fc.dictionary(fc.constantFrom('a', 'b', 'c'), tie('value'), { noNullPrototype: true }),
    value: fc.oneof({ depthSize: 'small' }, fc.integer(), fc.string(), fc.array(fc.integer()), tie('object')),
  }));
  fc.assert(
    fc.property(object, object, (from, to) => {
      if (typeof from !== 'object' || from === null || typeof to !== 'object' || to === null) return;
      expect(mergePatch(from, makeMergePatch(from, to) ?? {})).toEqual(to);
    }),
  );
});
