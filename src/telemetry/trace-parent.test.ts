import { expect, test } from 'vitest';
import { formatTraceparent, newTraceparent, parseTraceparent, traceIdOf } from './trace-parent.ts';

const traceId = '4bf92f3577b34da6a3ce929d0e0e4736';
const spanId = '00f067aa0ba902b7';

test.each([
  ['01', true],
  ['00', false],
  ['03', true],
  ['02', false],
])('flags %s: sampled is %s', (flags, isSampled) => {
  const parsed = parseTraceparent(`00-${traceId}-${spanId}-${flags}`);
  expect(parsed).toEqual({ traceId, spanId, isSampled });
});

test.each([
  undefined,
  null,
  7,
  ['00'],
  '',
  `00-${traceId}-${spanId}`,
  `00-${traceId}-${spanId}-01-x`,
  `00-${traceId}-${spanId}-01\n`,
  ` 00-${traceId}-${spanId}-01`,
  `ff-${traceId}-${spanId}-01`,
  `00-${traceId.toUpperCase()}-${spanId}-01`,
  `00-${'0'.repeat(32)}-${spanId}-01`,
  `00-${traceId}-${'0'.repeat(16)}-01`,
])('%j is none', (text) => {
  expect(parseTraceparent(text)).toBeUndefined();
});

test('a new one is valid, its own, and not sampled', () => {
  const [one, other] = [newTraceparent(), newTraceparent()];
  expect(parseTraceparent(one)).toMatchObject({ traceId: traceIdOf(one), isSampled: false });
  expect(traceIdOf(one)).not.toBe(traceIdOf(other));
});

test('what is formatted is read again', () => {
  const isSampled = true;
  expect(parseTraceparent(formatTraceparent({ traceId, spanId, isSampled }))).toEqual({
    traceId,
    spanId,
    isSampled,
  });
});
