import { setTimeout as sleep } from 'node:timers/promises';
import {
  type Load,
  type Measurement,
  measure,
  median,
  type Sample,
  type Subject,
  summarise,
} from './measure.ts';

/** One of our calls beside the bare calls that it cannot do without, all under the same load, which is that of one round. */
export interface Comparison extends Load {
  readonly ours: Subject;
  /** Together they are what ours would cost if we added nothing. */
  readonly floors: readonly Subject[];
  readonly payloadBytes: number;
  /** Rows that are there already and are not what is asked for; absent where that does not matter. */
  readonly history?: number;
}

export interface ComparisonResult
  extends Pick<Comparison, 'payloadBytes' | 'history' | 'concurrency' | 'pauseMs'> {
  readonly ours: Measured;
  readonly floors: readonly Measured[];
  /** p50 of ours over the sum of the floors' p50s: the median of the rounds, for the machine is the same only within one. */
  readonly ratio: number;
  /** Of each round. */
  readonly ratios: readonly number[];
}

export interface Measured extends Measurement {
  readonly name: string;
}

export interface RunOptions {
  /** Rounds that count; a shorter one goes before them, while code and caches get warm. */
  readonly rounds: number;
  /** Of the calls of each comparison that are made in a round. */
  readonly share: number;
  readonly signal: AbortSignal;
  readonly onProgress: (message: string) => void;
}

/** Of the calls of a round that the one makes which goes before. */
const WARM_SHARE = 0.25;

/** An answered store leaves a status to be written: time for that, so that it burdens no other measurement. */
const SETTLE_MS = 300;

/**
 * Measures the comparisons in rounds: in each round every subject has its turn, so that whatever else the machine does
 * at the time falls on floors and ours alike.
 * @throws what a call threw, or the signal's reason
 */
export async function compareInRounds(
  comparisons: readonly Comparison[],
  { rounds, share, signal, onProgress }: RunOptions,
): Promise<ComparisonResult[]> {
  onProgress('a round to get warm');
  for (const comparison of comparisons) await takeRound(scale(comparison, share * WARM_SHARE), signal);
  const samplesOf = comparisons.map((): Round[] => []);
  for (let round = 1; round <= rounds; round += 1) {
    onProgress(`round ${round} of ${rounds}`);
    for (const [index, comparison] of comparisons.entries())
      samplesOf[index]?.push(await takeRound(scale(comparison, share), signal));
  }
  return comparisons.map((comparison, index) => combine(comparison, samplesOf[index] ?? []));
}

/** At least a call for each caller. */
function scale(comparison: Comparison, share: number): Comparison {
  const { calls, concurrency } = comparison;
  return { ...comparison, calls: Math.max(concurrency, Math.round(calls * share)) };
}

interface Round {
  readonly ours: Sample;
  readonly floors: readonly Sample[];
}

async function takeRound(comparison: Comparison, signal: AbortSignal): Promise<Round> {
  const floors: Sample[] = [];
  for (const floor of comparison.floors) floors.push(await measure(floor, comparison, signal));
  await sleep(SETTLE_MS, undefined, { signal });
  const ours = await measure(comparison.ours, comparison, signal);
  await sleep(SETTLE_MS, undefined, { signal });
  return { ours, floors };
}

function combine(
  { ours, floors, calls: _, ...load }: Comparison,
  rounds: readonly Round[],
): ComparisonResult {
  const ratios = rounds.map(ratioOf);
  return {
    ...load,
    ours: { name: ours.name, ...summarise(rounds.map((round) => round.ours)) },
    floors: floors.map(({ name }, index) => ({
      name,
      ...summarise(rounds.flatMap((round) => round.floors[index] ?? [])),
    })),
    ratio: median(ratios),
    ratios,
  };
}

function ratioOf({ ours, floors }: Round): number {
  const floor = floors.reduce((sum, sample) => sum + summarise([sample]).p50, 0);
  return summarise([ours]).p50 / floor;
}
