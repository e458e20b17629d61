import { expect, test } from 'vitest';
import { WindowCounter } from './window-counter.ts';

const MINUTE = 60_000;
const start = 29_000_000 * MINUTE;

test('counts each key, and begins anew with each window', () => {
  const counter = new WindowCounter(MINUTE);
  expect([counter.count('a', start), counter.count('a', start + 59_999), counter.count('b', start)]).toEqual([
    1, 2, 1,
  ]);
  expect(counter.count('a', start + MINUTE)).toBe(1);
});

test.each([
  { at: start, want: 60 },
  { at: start + 1, want: 60 },
  { at: start + 30_000, want: 30 },
  { at: start + 59_999, want: 1 },
])('$at: $want seconds are left', ({ at, want }) => {
  expect(new WindowCounter(MINUTE).secondsLeft(at)).toBe(want);
});

test('windows begin at the same moments everywhere', () => {
  expect(new WindowCounter(MINUTE).windowOf(start - 1)).toBe(new WindowCounter(MINUTE).windowOf(start) - 1);
});

test('holds no more keys than it may: those that came first are forgotten', () => {
  const counter = new WindowCounter(MINUTE, 2);
  for (const key of ['a', 'b', 'b', 'c']) counter.count(key, start);
  expect([counter.count('b', start), counter.count('c', start), counter.count('a', start)]).toEqual([
    3, 2, 1,
  ]);
});
