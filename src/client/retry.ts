import { setTimeout as sleep } from 'node:timers/promises';
import { PlatformUnreachableError } from './client-errors.ts';

/** How often and how long a request is repeated. */
export interface RetryPolicy {
  /** Attempts in all, the first included. */
  readonly attempts: number;
  /** Longest wait before the second attempt, in milliseconds; it doubles from there. */
  readonly baseMs: number;
  /** Longest wait between two attempts, in milliseconds, unless the server asks for more. */
  readonly capMs: number;
  /** No wait begins that would end later than this after the call began, in milliseconds. */
  readonly totalMs: number;
}

export const DEFAULT_RETRY: RetryPolicy = { attempts: 5, baseMs: 500, capMs: 10_000, totalMs: 60_000 };

/** Repeats requests of one call, which share the call's time. */
export class Retrying {
  readonly #policy: RetryPolicy;
  readonly #deadline: number;

  constructor(policy: RetryPolicy) {
    this.#policy = policy;
    this.#deadline = performance.now() + policy.totalMs;
  }

  /**
   * Runs `request` until it succeeds, fails for good, or attempts or time run out; then throws its last error.
   * Never asks sooner than the server's `Retry-After` allows: when that lies past the deadline, it gives up.
   */
  async run<T>(request: () => Promise<T>): Promise<T> {
    for (let attempt = 1; ; attempt += 1) {
      try {
        return await request();
      } catch (error) {
        if (!(error instanceof PlatformUnreachableError) || !error.retryable) throw error;
        const wait = waitBeforeRetry(attempt, error.retryAfterMs, this.#policy);
        if (attempt >= this.#policy.attempts || performance.now() + wait > this.#deadline) throw error;
        await sleep(wait);
      }
    }
  }
}

/**
 * Milliseconds to wait after the given failed attempt (1 is the first): exponential, half of it random, so that
 * runners which failed together do not return together. A `Retry-After` counts from its end.
 */
export function waitBeforeRetry(
  attempt: number,
  retryAfterMs: number | undefined,
  policy: Pick<RetryPolicy, 'baseMs' | 'capMs'>,
  random: () => number = Math.random,
): number {
  if (retryAfterMs !== undefined) return retryAfterMs + random() * policy.baseMs;
  const longest = Math.min(policy.capMs, policy.baseMs * 2 ** (attempt - 1));
  return longest / 2 + (random() * longest) / 2;
}

/** Reads `Retry-After` (RFC 9110, 10.2.3: seconds or a date) as milliseconds from `now`; undefined when unreadable. */
export function parseRetryAfter(header: string | null, now = Date.now()): number | undefined {
  if (header === null) return undefined;
  if (/^\s*\d+\s*$/.test(header)) return Number(header) * 1000;
  const date = Date.parse(header);
  return Number.isNaN(date) ? undefined : Math.max(0, date - now);
}
