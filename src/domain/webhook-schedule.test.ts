import { expect, test } from 'vitest';
import { RETRY_DELAYS_SECONDS, retryDelaySeconds } from './webhook-schedule.ts';

test('retries go on for a day, further and further apart', () => {
  const hours = RETRY_DELAYS_SECONDS.reduce((sum, seconds) => sum + seconds, 0) / 3600;
  expect(hours).toBeGreaterThan(24);
  expect(hours).toBeLessThan(27);
  expect(RETRY_DELAYS_SECONDS.toSorted((a, b) => a - b)).toEqual(RETRY_DELAYS_SECONDS);
});

test.each([
  { name: 'first, earliest', attempt: 1, random: 0, want: 4 },
  { name: 'first, in the middle', attempt: 1, random: 0.5, want: 5 },
  { name: 'second, latest', attempt: 2, random: 0.999_999, want: 72 },
  { name: 'ninth', attempt: 9, random: 0.5, want: 8 * 3600 },
])('$name', ({ attempt, random, want }) => {
  expect(retryDelaySeconds(attempt, random)).toBeCloseTo(want, 3);
});

test('the tenth attempt is the last', () => expect(retryDelaySeconds(10, 0.5)).toBeUndefined());
