import { median } from '../measure.ts';

/** What is guarded. */
export const GUARDED = ['store', 'retrieve', 'drain'] as const;
export type Guarded = (typeof GUARDED)[number];

/** Milliseconds that something took in both versions, one right after the other. */
export interface Round {
  readonly before: number;
  readonly now: number;
}

export type Rounds = Readonly<Record<Guarded, readonly Round[]>>;

/** How something compares with what it was before. */
export interface Verdict {
  readonly name: Guarded;
  /** Medians of the rounds, in milliseconds: of this machine, and of no other. */
  readonly before: number;
  readonly now: number;
  /** The median of what `now` was in times of `before`, round by round: 1 is as before. */
  readonly change: number;
  readonly isWorse: boolean;
}

/** A change that no noise of a busy machine makes of the median of some rounds: worse by half. */
const WORSE = 1.5;

/**
 * Compares what the same calls take in two versions.
 * @throws Error when nothing was measured: that is no proof of anything
 */
export function judge(rounds: Rounds): readonly Verdict[] {
  return GUARDED.map((name) => {
    const change = median(rounds[name].map(({ before, now }) => now / before));
    if (!Number.isFinite(change) || change <= 0) throw new Error(`${name} was not measured`);
    return {
      name,
      before: median(rounds[name].map(({ before }) => before)),
      now: median(rounds[name].map(({ now }) => now)),
      change,
      isWorse: change >= WORSE,
    };
  });
}
