import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { findJsonError, lineAndColumn } from './json-error-position.ts';

describe('findJsonError', () => {
  it.each([
    { text: '{"a":1,}', want: 7 },
    { text: '{"a" 1}', want: 5 },
    { text: '[1 2]', want: 3 },
    { text: '[1,]', want: 3 },
    { text: '{\n  "a": tru\n}', want: 9 },
    { text: "{'a':1}", want: 1 },
    { text: '{"a":"x\ny"}', want: 5 },
    { text: '{"a":', want: 5 },
    { text: '', want: 0 },
    { text: '{} {}', want: 3 },
    { text: '{"a":01}', want: 5 },
    { text: '[}', want: 1 },
    { text: '{"a":1]', want: 6 },
    { text: ' {"a": [1, -2.5e3, "\\u00e9", null, {}, []]} ', want: undefined },
  ])('finds the fault of $text at $want', ({ text, want }) => {
    expect(findJsonError(text)).toBe(want);
  });

  it('agrees with JSON.parse on what is JSON', () => {
    const nearlyJson = fc
      .tuple(
        fc.json(),
        fc.nat(),
        fc.constantFrom('', ',', '}', ']', '"', '\\', ':', 'e', '0', '-', '\n', '\u0001', '\u0085'),
      )
      .map(
        ([text, at, junk]) =>
          text.slice(0, at % (text.length + 1)) + junk + text.slice(at % (text.length + 1)),
      );
    fc.assert(
      fc.property(nearlyJson, (text) => {
        expect(findJsonError(text) === undefined).toBe(isJson(text));
      }),
      { numRuns: 2000 },
    );
  });
});

describe('lineAndColumn', () => {
  it.each([
    { text: 'ab', offset: 0, want: { line: 1, column: 1 } },
    { text: 'a\nbc', offset: 3, want: { line: 2, column: 2 } },
    { text: 'a\n', offset: 2, want: { line: 2, column: 1 } },
  ])('counts from 1: $offset of $text', ({ text, offset, want }) => {
    expect(lineAndColumn(text, offset)).toEqual(want);
  });
});

function isJson(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}
