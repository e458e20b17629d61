import { expect, test } from 'vitest';
import { createBackoff } from './backoff.ts';

test('it doubles up to its ceiling, and begins again after a reset', () => {
  const backoff = createBackoff({ baseMs: 100, maxMs: 500, random: () => 1 });
  expect([1, 2, 3, 4, 5].map(() => backoff.next())).toEqual([100, 200, 400, 500, 500]);
  backoff.reset();
  expect(backoff.next()).toBe(100);
});

test('at least half of it is waited', () => {
  const backoff = createBackoff({ baseMs: 100, maxMs: 500, random: () => 0 });
  expect([backoff.next(), backoff.next()]).toEqual([50, 100]);
});

test('it never overflows', () => {
  const backoff = createBackoff({ baseMs: 100, maxMs: 500, random: () => 1 });
  const waits = Array.from({ length: 2000 }, () => backoff.next());
  expect(waits.at(-1)).toBe(500);
});
