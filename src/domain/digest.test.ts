import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { digestOf } from './digest.ts';
import type { JsonObject } from './run.ts';

const payload = fc.dictionary(
  fc.string({ unit: 'grapheme' }).filter((key) => key !== '__proto__'),
  fc.jsonValue({ stringUnit: 'grapheme' }),
);

test('the digest is the SHA-256 of the canonical UTF-8, and the size is its bytes', () => {
  expect(digestOf({ a: 'ö' })).toEqual({
    canonical: '{"a":"ö"}',
    sizeBytes: 10,
    // printf '{"a":"ö"}' | sha256sum
    sha256: '0c012ddd20b0a67114dcf3b03080ac1c51e5b0b4c96c4bb42033c7e444d2fe2c',
  });
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
