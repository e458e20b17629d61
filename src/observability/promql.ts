import { type LabelName, metric } from './metric.ts';

/** A stretch of time, as PromQL writes durations. */
export interface Period {
  readonly length: string;
  /** How long ago it ended; absent: it ends now. */
  readonly endedAgo?: string;
  readonly beganAgo: string;
}

/** The time up to now. */
export function last(length: string): Period {
  return { length, beganAgo: length };
}

export const DAY = last('24h');
export const DAY_BEFORE: Period = { length: '24h', endedAgo: '24h', beganAgo: '48h' };

/**
 * How much counters counted in a period, over all their series or by labels. `increase` does not see the first event of a series, and most
 * series of the product are born with theirs: one that was not there when the period began counts from 0.
 */
export function total(
  selector: string,
  { length, endedAgo, beganAgo }: Period,
  by: readonly LabelName[] = [],
): string {
  const within = `${selector}[${length}]${endedAgo === undefined ? '' : ` offset ${endedAgo}`}`;
  const before = `${selector} offset ${beganAgo}`;
  return `${sumBy(by)}(increase(${within}) and ${before} or last_over_time(${within}) unless ${before})`;
}

/** `sum`, over everything or by labels. */
export function sumBy(by: readonly LabelName[]): string {
  return by.length === 0 ? 'sum' : `sum by (${by.join(', ')}) `;
}

/** The share of what was counted that has a property: of nothing there is none, and of something it may be 0. */
export function share(having: string, of: string, period: Period): string {
  return `(${total(having, period)} or vector(0)) / ${total(of, period)}`;
}

/** The mean of what a histogram observed in a period, by its two series. */
export function mean(sum: string, count: string, period: Period, by: readonly LabelName[] = []): string {
  return `${total(sum, period, by)} / ${total(count, period, by)}`;
}

/** A quantile of what a histogram observed in a period, as exact as its buckets. */
export function quantile(
  rank: number,
  buckets: string,
  period: Period,
  by: readonly LabelName[] = [],
): string {
  return `histogram_quantile(${rank}, ${total(buckets, period, ['le', ...by])})`;
}

/** What the leader alone says: of who led before, gauges stay as they were. */
export function ofLeader(expression: string): string {
  const leads = `${metric('leader_election_master_status', { name: 'phaserun-controller' })} == 1`;
  return `(${expression} and on (job, instance) ${leads})`;
}

/** One condition a line. */
export function all(...conditions: readonly string[]): string {
  return conditions.join('\nand ');
}

/** One alternative a line. */
export function any(...conditions: readonly string[]): string {
  return conditions.join('\nor ');
}
