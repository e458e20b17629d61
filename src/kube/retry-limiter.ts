import type { Clock } from './clock.ts';
import { createTokenBucket } from './token-bucket.ts';

/** How long a key waits after its n-th failure in a row, and how fast failures may return over all keys. */
export interface RetryLimits {
  readonly baseMs: number;
  /** A slot that is busy in an outage fails often: with client-go's ceiling of 1000 s it would wait long after the end. */
  readonly maxMs: number;
  readonly perSecond: number;
  readonly burst: number;
}

export const RETRY_LIMITS: RetryLimits = { baseMs: 5, maxMs: 5_000, perSecond: 100, burst: 1000 };

/** client-go's MaxOf(exponential per key, one bucket for all). */
export interface RetryLimiter {
  /** Counts a failure and answers how many milliseconds to wait. */
  when(key: string): number;
  failures(key: string): number;
  forget(key: string): void;
}

export function createRetryLimiter(clock: Clock, limits: RetryLimits = RETRY_LIMITS): RetryLimiter {
  const { baseMs, maxMs, perSecond, burst } = limits;
  const failures = new Map<string, number>();
  const bucket = createTokenBucket({ perSecond, burst, clock });
  return {
    when(key) {
      const count = failures.get(key) ?? 0;
      failures.set(key, count + 1);
      return Math.max(Math.min(maxMs, baseMs * 2 ** count), bucket.reserve());
    },
    failures: (key) => failures.get(key) ?? 0,
    forget: (key) => {
      failures.delete(key);
    },
  };
}
