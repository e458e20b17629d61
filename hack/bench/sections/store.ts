import { type Comparison, type ComparisonResult, compareInRounds } from '../comparison.ts';
import type { Figure } from '../figure.ts';
import { storeFloors } from '../floors.ts';
import type { Load } from '../measure.ts';
import { createBodies, type StoreBody } from '../payload.ts';
import { createRunner, type Runner, storing } from '../runner.ts';
import type { Section } from '../section.ts';
import type { BenchStack } from '../stack.ts';

interface SizedLoad extends Load {
  readonly payloadBytes: number;
}

/** Of most loads: a call follows upon the answer to the last. */
const BACK_TO_BACK = { payloadBytes: 1_000, pauseMs: 0 };

/**
 * Of a single runner, paced: what the last result still has to do when it is answered, its status, is over before the
 * next one comes.
 */
const PACED = { payloadBytes: 1_000, pauseMs: 40, concurrency: 1 };

/** A PhaseRun carries up to 16 KiB itself, and refers to what is larger. */
const LOADS: readonly SizedLoad[] = [
  { ...PACED, calls: 40 },
  { ...BACK_TO_BACK, concurrency: 1, calls: 100 },
  { ...BACK_TO_BACK, concurrency: 8, calls: 240 },
  { ...BACK_TO_BACK, concurrency: 32, calls: 320 },
  { ...BACK_TO_BACK, concurrency: 128, calls: 384 },
  { ...PACED, payloadBytes: 16_000, calls: 20 },
  { ...BACK_TO_BACK, payloadBytes: 16_000, concurrency: 32, calls: 96 },
  { ...PACED, payloadBytes: 256_000, calls: 15 },
  { ...BACK_TO_BACK, payloadBytes: 256_000, concurrency: 8, calls: 32 },
  { ...PACED, payloadBytes: 2_500_000, calls: 4 },
  { ...BACK_TO_BACK, payloadBytes: 2_500_000, concurrency: 8, calls: 8 },
];
const FIRST_OF_REPOSITORY: SizedLoad = { ...PACED, calls: 10 };

/** Stores over HTTP, answered when the row is committed, beside the bare calls. */
export const storeSection: Section = {
  name: 'store',
  help: 'store, 1 to 128 callers, 1 KB to 2.5 MB, and the first of a repository, beside bare create + transaction',
  async measure(stack, { quick, onProgress }) {
    const { signal } = stack;
    await stack.start('controller');
    const api = await stack.start('api');
    const connections = Math.max(...LOADS.map(({ concurrency }) => concurrency));
    await using runner = createRunner(stack, { url: api.url, connections });
    const calls = await compareInRounds(comparisons(stack, runner), {
      rounds: quick ? 1 : 3,
      share: quick ? 0.2 : 1,
      signal,
      onProgress,
    });
    return { calls, figures: calls.flatMap(judge) };
  },
};

function comparisons(stack: BenchStack, runner: Runner): Comparison[] {
  const nextBody = createBodies(stack.tenant.forgeNamespace);
  const compare = (load: SizedLoad, make: () => StoreBody, name?: string): Comparison => ({
    ...load,
    ours: storing(runner, make, name),
    floors: storeFloors(stack, make),
  });
  const toNewRepository = () => {
    const body = nextBody(FIRST_OF_REPOSITORY.payloadBytes);
    return { ...body, repo: `${stack.tenant.forgeNamespace}/new-${body.issueNumber}` };
  };
  return [
    ...LOADS.map((load) => compare(load, () => nextBody(load.payloadBytes))),
    compare(FIRST_OF_REPOSITORY, toNewRepository, 'store, new repository'),
  ];
}

function judge({ ours, payloadBytes, concurrency, pauseMs, ratio }: ComparisonResult): Figure[] {
  const load = `${payloadBytes / 1000} KB, ${concurrency} at once${pauseMs > 0 ? ' paced' : ''}`;
  const figures: Figure[] = [];
  if (concurrency === 1)
    figures.push({
      name: `${ours.name}, ${load}, p50`,
      value: ratio,
      unit: '× (create + transaction)',
      target: { atMost: 1.5 },
    });
  if (concurrency === 32)
    figures.push({
      name: `${ours.name}, ${load}, p99`,
      value: ours.p99 / ours.p50,
      unit: '× p50',
      target: { atMost: 5 },
    });
  return figures;
}
