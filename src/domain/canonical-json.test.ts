import canonicalize from 'canonicalize';
import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { canonicalJson } from './canonical-json.ts';

// From RFC 8785: §3.2.2 (values), §3.2.3 (order of keys), Appendix B (numbers).
describe('what RFC 8785 says of', () => {
  test.each<{ name: string; text: string; want: string }>([
    {
      name: 'values',
      text: '{"numbers":[333333333.33333329,1E30,4.50,2e-3,0.000000000000000000000000001],"string":"\\u20ac$\\u000F\\u000aA\'\\u0042\\u0022\\u005c\\\\\\"\\/","literals":[null,true,false]}',
      want: '{"literals":[null,true,false],"numbers":[333333333.3333333,1e+30,4.5,0.002,1e-27],"string":"€$\\u000f\\nA\'B\\"\\\\\\\\\\"/"}',
    },
    {
      name: 'keys by UTF-16 code unit',
      text: '{"\\u20ac":5,"\\r":1,"\\ufb33":7,"1":2,"\\ud83d\\ude00":6,"\\u0080":3,"\\u00f6":4}',
      want: '{"\\r":1,"1":2,"\u0080":3,"ö":4,"€":5,"😀":6,"\ufb33":7}',
    },
    {
      name: 'keys by UTF-16 code unit, none of them a number',
      text: '{"\\u20ac":5,"\\r":1,"\\ufb33":7,"\\ud83d\\ude00":6,"\\u0080":3,"\\u00f6":4}',
      want: '{"\\r":1,"\u0080":3,"ö":4,"€":5,"😀":6,"\ufb33":7}',
    },
    { name: 'minus zero', text: '{"a":-0,"b":-0.0}', want: '{"a":0,"b":0}' },
    {
      name: 'the largest double',
      text: '{"a":1.7976931348623157e308}',
      want: '{"a":1.7976931348623157e+308}',
    },
    { name: 'the smallest', text: '{"a":5e-324}', want: '{"a":5e-324}' },
    {
      name: 'where exponents begin',
      text: '{"a":1e21,"b":999999999999999900000}',
      want: '{"a":1e+21,"b":999999999999999900000}',
    },
    { name: 'nothing', text: '{}', want: '{}' },
    {
      name: 'keys that the language itself has a use for',
      text: '{"toJSON":1,"length":0,"constructor":{"length":"x"}}',
      want: '{"constructor":{"length":"x"},"length":0,"toJSON":1}',
    },
  ])('$name', ({ text, want }) => {
    expect(canonicalJson(JSON.parse(text))).toBe(want);
  });
});

test('many keys are in the same order as few', () => {
  const keys = Array.from({ length: 500 }, (_, index) => `k${index * 7}`);
  const value = Object.fromEntries(keys.map((key) => [key, true]));
  const want = keys.toSorted().map((key) => `"${key}":true`);
  expect(canonicalJson(value)).toBe(`{${want.join(',')}}`);
});

test('a long text is spelled as a short one', () => {
  const text = '\u0007"\\/é😀\u2028';
  const want = '\\u0007\\"\\\\/é😀\u2028';
  expect(canonicalJson([text, text.repeat(2_000)])).toBe(`["${want}","${want.repeat(2_000)}"]`);
});

test('what is undefined is left out', () => {
  expect(canonicalJson({ b: undefined, a: [{ c: undefined }] })).toBe('{"a":[{}]}');
});

test('a member that only looks like a prototype is kept', () => {
  expect(canonicalJson(JSON.parse('{"b":1,"__proto__":{"a":2}}'))).toBe('{"__proto__":{"a":2},"b":1}');
});

test('a number that JSON does not have is refused, and not made null', () => {
  expect(() => canonicalJson([JSON.parse('1e999')])).toThrow('Infinity');
});

test('whatever can be parsed has a canonical form, however deeply it is nested', () => {
  const text = `${'[{"a":'.repeat(5_000)}1${'}]'.repeat(5_000)}`;
  const value: unknown = JSON.parse(text);
  expect(canonicalJson(value as object) === text).toBe(true);
});

test('both ways lead to the same text', () => {
  const key = fc.oneof(fc.nat().map(String), fc.string({ unit: 'grapheme' }));
  const value = fc.oneof(fc.jsonValue({ stringUnit: 'grapheme' }), fc.dictionary(key, fc.jsonValue()));
  fc.assert(
    fc.property(fc.dictionary(key, value), (data) => {
      const parsed = JSON.parse(JSON.stringify(data));
      expect(canonicalJson(parsed)).toBe(canonicalize(parsed));
    }),
  );
});
