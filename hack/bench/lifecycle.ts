import { archivedStatus } from '../../src/controller/status.ts';
import { writeStatus } from '../../src/kube/status-writer.ts';
import type { PhaseRun } from '../../src/resources/phase-run.ts';
import { archiveRun } from '../../src/store/archive.ts';
import { atOnce } from './at-once.ts';
import type { BenchRun } from './bench-run.ts';
import type { BenchStack } from './stack.ts';
import { TWIN_RUNS } from './twin-kind.ts';

/** The bare calls that a result costs, in their order. */
export const STEPS = ['create', 'transaction', 'status', 'delete'] as const;
export type Step = (typeof STEPS)[number];

/** What a loop of bare calls came to. */
export interface Lifecycles {
  readonly runsPerSecond: number;
  /** Milliseconds of each call. */
  readonly times: Readonly<Record<Step, readonly number[]>>;
}

export interface LifecycleOptions {
  readonly first: Step;
  readonly last: Step;
  readonly concurrency: number;
}

/**
 * Takes each run from its first step to its last, so many runs at a time: a PhaseRun of the twin kind is created, the
 * run archived by the very transaction that the controller archives with, the status written that it would write, and the
 * object deleted. Nothing watches, queues or waits: what the product adds is not in it.
 */
export async function runLifecycles(
  stack: BenchStack,
  runs: readonly BenchRun[],
  { first, last, concurrency }: LifecycleOptions,
): Promise<Lifecycles> {
  const { signal } = stack;
  const [from, to] = [STEPS.indexOf(first), STEPS.indexOf(last)];
  const lives = runs.map((run) => new Life(stack, run));
  for (const step of STEPS.slice(0, from))
    await atOnce(lives, { concurrency, signal }, (life) => life[step]());
  const steps = STEPS.slice(from, to + 1);
  const times: Record<Step, number[]> = { create: [], transaction: [], status: [], delete: [] };
  const startedAt = performance.now();
  await atOnce(lives, { concurrency, signal }, async (life) => {
    for (const step of steps) {
      const began = performance.now();
      await life[step]();
      times[step].push(performance.now() - began);
    }
  });
  return { runsPerSecond: (1000 * runs.length) / (performance.now() - startedAt), times };
}

/** A run with what its last step has left for the next one. */
class Life implements Record<Step, () => Promise<void>> {
  readonly #stack: BenchStack;
  readonly #run: BenchRun;
  #object: PhaseRun | undefined;
  #outcome: Awaited<ReturnType<typeof archiveRun>> | undefined;

  constructor(stack: BenchStack, run: BenchRun) {
    this.#stack = stack;
    this.#run = run;
  }

  get #twins() {
    return this.#stack.kubernetes.resource<PhaseRun>(TWIN_RUNS);
  }

  get #created(): PhaseRun {
    if (this.#object === undefined) throw new Error('it has not been created');
    return this.#object;
  }

  async create(): Promise<void> {
    const { metadata, spec } = this.#run.draft;
    this.#object = await this.#twins.create({ metadata, spec });
  }

  async transaction(): Promise<void> {
    this.#outcome = await archiveRun(this.#stack.database.pool, this.#run.archivable);
  }

  async status(): Promise<void> {
    const outcome = this.#outcome;
    if (outcome === undefined || outcome.disposition === 'quarantined' || outcome.disposition === 'rejected')
      throw new Error(`it has not been archived: ${JSON.stringify(outcome)}`);
    const status = archivedStatus(this.#created, this.#run.archivable, outcome, new Date());
    const written = await writeStatus(this.#twins, this.#created, status);
    if (written !== 'written') throw new Error(`its status was not written: ${written}`);
  }

  async delete(): Promise<void> {
    const { namespace, name } = this.#created.metadata;
    await this.#twins.delete({ namespace, name });
  }
}
