/**
 * How long after each failed attempt the next one is made: ten attempts over a little more than a day, close together
 * while a receiver may only be restarting, far apart once it is down.
 */
export const RETRY_DELAYS_SECONDS: readonly number[] = [
  5,
  60,
  5 * 60,
  30 * 60,
  2 * 3600,
  4 * 3600,
  5 * 3600,
  6 * 3600,
  8 * 3600,
];

/** Of a delay, how much chance adds or takes: a receiver that comes back is not met by everything at once. */
const JITTER = 0.2;

/** After how many days without one good delivery a subscription is disabled. */
export const DISABLE_AFTER_FAILING_DAYS = 5;

/**
 * Seconds until the attempt after the given one, counted from 1; undefined when that was the last.
 * `random` is a number of [0, 1).
 */
export function retryDelaySeconds(attempt: number, random: number): number | undefined {
  const delay = RETRY_DELAYS_SECONDS[attempt - 1];
  return delay === undefined ? undefined : delay * (1 - JITTER + 2 * JITTER * random);
}
