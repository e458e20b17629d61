import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { parseTimestamp } from './timestamp.ts';

test.each([
  ['2026-02-11T09:14:03.220Z', '2026-02-11T09:14:03.220Z'],
  ['2026-02-11T09:14:03Z', '2026-02-11T09:14:03.000Z'],
  ['2026-02-11T09:14:03.123456789Z', '2026-02-11T09:14:03.123Z'],
  ['2026-02-11T01:14:03+05:30', '2026-02-10T19:44:03.000Z'],
  ['2024-02-29T00:00:00-00:00', '2024-02-29T00:00:00.000Z'],
  ['1970-01-01T00:00:00Z', '1970-01-01T00:00:00.000Z'],
])('%s is %s', (text, want) => {
  expect(parseTimestamp(text)).toBe(want);
});

test.each([
  '',
  'yesterday',
  '2026-02-11',
  '2026-02-11 09:14:03Z',
  '2026-02-11T09:14:03',
  '2026-02-11T09:14Z',
  '2026-02-31T00:00:00Z',
  '2026-02-29T00:00:00Z',
  '2026-13-01T00:00:00Z',
  '2026-02-11T24:00:00Z',
  '2026-02-11T23:59:60Z',
  '2026-02-11T09:14:03+99:99',
  '0000-01-01T00:00:00Z',
  '1970-01-01T00:00:00+14:00',
  '9999-12-31T23:59:59Z',
  '+12026-02-11T09:14:03Z',
  '2026-02-11T09:14:03Z\n',
  '1770801243220',
])('%j is no time', (text) => {
  expect(parseTimestamp(text)).toBeUndefined();
});

test('every time that JavaScript writes comes back', () => {
  const time = fc.date({
    min: new Date('1970-01-01T00:00:00Z'),
    max: new Date('2999-12-31T23:59:59Z'),
    noInvalidDate: true,
  });
  fc.assert(
    fc.property(time, (date) => {
      expect(parseTimestamp(date.toISOString())).toBe(date.toISOString());
    }),
  );
});
