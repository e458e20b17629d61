import { expect, test } from 'vitest';
import { createTokenBucket } from './token-bucket.ts';

test('a burst passes at once, what follows is spread, and a rest fills the bucket', () => {
  let now = 0;
  const clock = { now: () => now, after: () => () => undefined };
  const bucket = createTokenBucket({ perSecond: 10, burst: 2, clock });
  expect([bucket.reserve(), bucket.reserve()]).toEqual([0, 0]);
  expect([bucket.reserve(), bucket.reserve()]).toEqual([100, 200]);
  now = 60_000;
  expect([bucket.reserve(), bucket.reserve(), bucket.reserve()]).toEqual([0, 0, 100]);
});
