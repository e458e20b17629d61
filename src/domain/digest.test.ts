import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { digestOf } from './digest.ts';
import type { JsonObject } from './run.ts';

const payload = fc.dictionary(
  fc.string({ unit: 'grapheme' }).filter((key) => key !== '__proto__'),
  fc.jsonValue({ stringUnit: 'grapheme' }),
);

// From RFC 8785: §3.2.2 (values), §3.2.3 (order of keys), Appendix B (numbers).
describe('the canonical form is that of RFC 8785', () => {
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
  ])('$name', ({ text, want }) => {
    const data: JsonObject = JSON.parse(text);
    expect(digestOf(data).canonical).toBe(want);
  });
});

test('the digest is the SHA-256 of the canonical UTF-8, and the size is its bytes', () => {
  expect(digestOf({ a: 'ö' })).toEqual({
    canonical: '{"a":"ö"}',
    sizeBytes: 10,
    // printf '{"a":"ö"}' | sha256sum
    sha256: '0c012ddd20b0a67114dcf3b03080ac1c51e5b0b4c96c4bb42033c7e444d2fe2c',
  });
});

test('a lone surrogate is refused, since it has no UTF-8', () => {
  expect(() => digestOf({ a: '\ud800' })).toThrow('surrogate');
});

test('the order of keys makes no difference, and nothing is lost', () => {
  fc.assert(
    fc.property(payload, (data) => {
      const digest = digestOf(data);
      expect(digestOf(reverseKeys(data))).toEqual(digest);
      expect(digestOf(JSON.parse(digest.canonical))).toEqual(digest);
      expect(JSON.parse(digest.canonical)).toEqual(JSON.parse(JSON.stringify(data)));
    }),
  );
});

test('two payloads that differ have two digests', () => {
  fc.assert(
    fc.property(payload, payload, (a, b) => {
      const same = JSON.stringify(sortKeys(a)) === JSON.stringify(sortKeys(b));
      expect(digestOf(a).sha256 === digestOf(b).sha256).toBe(same);
    }),
  );
});

function mapObjects(value: unknown, arrange: (entries: [string, unknown][]) => [string, unknown][]): unknown {
  if (Array.isArray(value)) return value.map((inner) => mapObjects(inner, arrange));
  if (typeof value !== 'object' || value === null) return value;
  const entries = Object.entries(value).map(([key, inner]): [string, unknown] => [
    key,
    mapObjects(inner, arrange),
  ]);
  return Object.fromEntries(arrange(entries));
}

function reverseKeys(data: JsonObject): JsonObject {
  return mapObjects(data, (entries) => entries.toReversed()) as JsonObject;
}

function sortKeys(data: JsonObject): unknown {
  return mapObjects(data, (entries) => entries.toSorted(([a], [b]) => (a < b ? -1 : 1)));
}
