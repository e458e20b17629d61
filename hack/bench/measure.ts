import { setTimeout as sleep } from 'node:timers/promises';
import { atOnce } from './at-once.ts';

/** Something whose cost is measured: call after call, each of them another. */
export interface Subject {
  /** Says it in the report, such as `store`. */
  readonly name: string;
  /** Makes one call ready. What it takes to do so is not measured; the call fails by throwing. */
  prepare(): () => Promise<unknown>;
}

/** What one batch of calls took. */
export interface Sample {
  /** Milliseconds of each call. */
  readonly times: readonly number[];
  /** Of the batch from its first call to its last answer. */
  readonly seconds: number;
}

/** What a number of calls cost, in milliseconds, and how many a second they came to. */
export interface Measurement {
  readonly calls: number;
  readonly p50: number;
  readonly p99: number;
  readonly perSecond: number;
}

/** How a batch of calls is made. */
export interface Load {
  readonly calls: number;
  /** Calls under way at any time. */
  readonly concurrency: number;
  /** Between an answer and the next call: 0 is back to back. */
  readonly pauseMs: number;
}

/**
 * Makes a batch of calls. The first one that fails ends it: a rate with errors in it is no rate.
 * @throws what the call threw, or the signal's reason
 */
export async function measure(
  subject: Subject,
  { calls, concurrency, pauseMs }: Load,
  signal: AbortSignal,
): Promise<Sample> {
  const waiting = Array.from({ length: calls }, () => subject.prepare());
  const times: number[] = [];
  const batchStartedAt = performance.now();
  await atOnce(waiting, { concurrency, signal }, async (call) => {
    const startedAt = performance.now();
    await call();
    times.push(performance.now() - startedAt);
    if (pauseMs > 0) await sleep(pauseMs, undefined, { signal });
  });
  return { times, seconds: (performance.now() - batchStartedAt) / 1000 };
}

/** Takes batches of the same calls together. */
export function summarise(samples: readonly Sample[]): Measurement {
  const times = samples.flatMap((sample) => sample.times).toSorted((a, b) => a - b);
  const seconds = samples.reduce((sum, sample) => sum + sample.seconds, 0);
  return {
    calls: times.length,
    p50: quantile(times, 0.5),
    p99: quantile(times, 0.99),
    perSecond: times.length / seconds,
  };
}

/** The value of a sorted list that so large a share of it does not exceed (nearest rank); NaN of an empty one. */
export function quantile(sorted: readonly number[], share: number): number {
  return sorted[Math.max(0, Math.ceil(sorted.length * share) - 1)] ?? Number.NaN;
}

/** The middle of some values; NaN of none. */
export function median(values: readonly number[]): number {
  return quantile(
    values.toSorted((a, b) => a - b),
    0.5,
  );
}
