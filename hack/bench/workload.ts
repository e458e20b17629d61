import type { Comparison } from './comparison.ts';
import { bareCommit, bareCreate, bareSelect, createBareTable } from './floors.ts';
import type { Load } from './measure.ts';
import { createBodies } from './payload.ts';
import { type Runner, retrieving, storing } from './runner.ts';
import type { BenchStack } from './stack.ts';

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

/**
 * A PhaseRun carries up to 16 KiB itself, and refers to what is larger. All rounds together stay below the 5,000
 * archived PhaseRuns past which the controller would begin to delete.
 */
const STORES: readonly SizedLoad[] = [
  { ...PACED, calls: 50 },
  { ...BACK_TO_BACK, concurrency: 1, calls: 100 },
  { ...BACK_TO_BACK, concurrency: 8, calls: 240 },
  { ...BACK_TO_BACK, concurrency: 32, calls: 320 },
  { ...PACED, payloadBytes: 16_000, calls: 20 },
  { ...PACED, payloadBytes: 256_000, calls: 20 },
];

const RETRIEVES: readonly SizedLoad[] = [
  { ...PACED, calls: 50 },
  { ...BACK_TO_BACK, concurrency: 1, calls: 300 },
  { ...BACK_TO_BACK, concurrency: 8, calls: 800 },
  { ...BACK_TO_BACK, concurrency: 32, calls: 800 },
];

/** The most calls at once. */
export const MOST_AT_ONCE = Math.max(...[...STORES, ...RETRIEVES].map(({ concurrency }) => concurrency));

/** Issues whose three phases are there to be retrieved. */
const KNOWN_ISSUES = 50;

/** Stores what is to be retrieved, and says what is to be compared; `share` scales the numbers of calls. */
export async function prepareWorkload(
  stack: BenchStack,
  runner: Runner,
  share: number,
): Promise<Comparison[]> {
  const { pool } = stack.database;
  const { forgeNamespace, customerId } = stack.tenant;
  const nextBody = createBodies(forgeNamespace);
  await createBareTable(pool);

  const stores = STORES.map((load) => {
    const makeBody = () => nextBody(load.payloadBytes);
    return {
      ...load,
      ours: storing(runner, makeBody),
      floors: [
        bareCreate(stack.kubernetes, { namespace: stack.namespace, customerId }, makeBody),
        bareCommit(pool, load.payloadBytes),
      ],
    };
  });
  const payloadBytes = 1_000;
  const retrieve = await retrieving(runner, { forgeNamespace, issues: KNOWN_ISSUES, payloadBytes });
  const select = await bareSelect(pool, { rows: KNOWN_ISSUES, payloadBytes });
  const retrieves = RETRIEVES.map((load) => ({ ...load, ours: retrieve, floors: [select] }));
  return [...stores, ...retrieves].map((comparison) => ({
    ...comparison,
    calls: Math.max(comparison.concurrency, Math.round(comparison.calls * share)),
  }));
}
