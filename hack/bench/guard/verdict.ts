import { median } from '../measure.ts';

/** What is guarded. */
export const GUARDED = ['store', 'retrieve', 'drain'] as const;
export type Guarded = (typeof GUARDED)[number];

/** What something took, in times of what its bare calls took in the same round: more is slower. */
export type Costs = Readonly<Record<Guarded, readonly number[]>>;

/** How something compares with what it was before. */
export interface Verdict {
  readonly name: Guarded;
  /** Medians of the rounds, in times of the bare calls. */
  readonly before: number;
  readonly now: number;
  /** Of `now` over `before`: 1 is as before. */
  readonly change: number;
  readonly isWorse: boolean;
}

/** A change that no noise of a busy machine makes of the medians of a few rounds: worse by half. */
const WORSE = 1.5;

/**
 * Compares what the same calls cost in two versions.
 * @throws Error when nothing was measured: that is no proof of anything
 */
export function judge(before: Costs, now: Costs): readonly Verdict[] {
  return GUARDED.map((name) => {
    const medians = { before: median(before[name]), now: median(now[name]) };
    const change = medians.now / medians.before;
    if (!Number.isFinite(change) || change <= 0) throw new Error(`${name} was not measured`);
    return { name, ...medians, change, isWorse: change >= WORSE };
  });
}
