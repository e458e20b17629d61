import { setTimeout as sleep } from 'node:timers/promises';
import { PHASE_RUNS, type PhaseRun } from '../../../src/resources/phase-run.ts';
import type { BenchRun } from '../bench-run.ts';
import { hearCommittedRows } from '../committed-rows.ts';
import type { Figure, Target } from '../figure.ts';
import { storeFloors } from '../floors.ts';
import { measure, quantile, summarise } from '../measure.ts';
import { createBodies } from '../payload.ts';
import { createPhaseRun, createRuns, isArchived } from '../phase-runs.ts';
import type { Section } from '../section.ts';
import type { BenchStack } from '../stack.ts';

/** PhaseRuns a second: what two cores can do with ease, and what they can just do, or cannot. */
const RATES = [
  { perSecond: 40, targets: {} },
  { perSecond: 100, targets: { p50: { atMost: 8 }, p99: { atMost: 93 } } },
] as const;

const PAYLOAD_BYTES = 1_000;
/** Above the issues of all others. */
const FLOOR_ISSUES = 1_000_000;

/** How long after a PhaseRun was sent to be created its row and its status are there, while they come at a steady rate. */
export const latencySection: Section = {
  name: 'latency',
  help: 'from create to row, and from create to status, while 40 and 100 PhaseRuns a second are created',
  async measure(stack, { quick, onProgress }) {
    const seconds = quick ? 5 : 20;
    const nextRuns = createRuns(stack);
    await stack.start('controller');
    await stack.start('api');
    await using rows = await hearCommittedRows(stack.databaseUrl);
    using statuses = watchStatuses(stack);
    const [{ perSecond: ease }] = RATES;
    const figures = [await measureFloor(stack, ease)];
    await createSteadily(stack, nextRuns(3 * ease), ease);
    for (const { perSecond, targets } of RATES) {
      const runs = nextRuns(seconds * perSecond);
      onProgress(`${runs.length} PhaseRuns, ${perSecond} a second`);
      const sent = await createSteadily(stack, runs, perSecond);
      const ids = runs.map(({ runId }) => runId);
      await rows.waitFor(ids, stack.signal);
      await statuses.waitFor(ids);
      figures.push(
        ...quantiles(`create to row at ${perSecond}/s`, elapsed(sent, rows.times), targets),
        ...quantiles(`create to status at ${perSecond}/s`, elapsed(sent, statuses.times), {}),
      );
    }
    return { figures };
  },
};

/** What a create and a transaction take by themselves, at a pace. */
async function measureFloor(stack: BenchStack, perSecond: number): Promise<Figure> {
  const nextBody = createBodies(stack.tenant.forgeNamespace, FLOOR_ISSUES);
  const load = { calls: 3 * perSecond, concurrency: 1, pauseMs: 1000 / perSecond };
  let value = 0;
  for (const floor of storeFloors(stack, () => nextBody(PAYLOAD_BYTES)))
    value += summarise([await measure(floor, load, stack.signal)]).p50;
  return { name: '  bare create + bare transaction, p50', value, unit: 'ms' };
}

/**
 * Creates runs on schedule, whether or not those before are answered.
 * @returns `performance.now()` when each was sent, by run id
 */
async function createSteadily(
  stack: BenchStack,
  runs: readonly BenchRun[],
  perSecond: number,
): Promise<ReadonlyMap<string, number>> {
  const sent = new Map<string, number>();
  const creating: Promise<void>[] = [];
  const startedAt = performance.now();
  for (const [index, run] of runs.entries()) {
    const wait = startedAt + (1000 * index) / perSecond - performance.now();
    if (wait > 0) await sleep(wait, undefined, { signal: stack.signal });
    sent.set(run.runId, performance.now());
    const created = createPhaseRun(stack, run);
    // One that fails is told of at the end, and not before somebody waits for it.
    created.catch(() => undefined);
    creating.push(created);
  }
  await Promise.all(creating);
  return sent;
}

/** Milliseconds, in ascending order. */
function elapsed(sent: ReadonlyMap<string, number>, seen: ReadonlyMap<string, number>): number[] {
  const times = [...sent].map(([runId, at]) => (seen.get(runId) ?? Number.NaN) - at);
  return times.toSorted((a, b) => a - b);
}

function quantiles(
  name: string,
  sorted: readonly number[],
  targets: { readonly p50?: Target; readonly p99?: Target },
): Figure[] {
  const shares = { p50: 0.5, p99: 0.99 } as const;
  return (['p50', 'p99'] as const).map((share) => {
    const target = targets[share];
    return {
      name: `${name}, ${share}`,
      value: quantile(sorted, shares[share]),
      unit: 'ms',
      ...(target !== undefined && { target }),
    };
  });
}

interface Statuses extends Disposable {
  /** `performance.now()` when a run was first seen to be archived, by run id. */
  readonly times: ReadonlyMap<string, number>;
  /** @throws Error when not all are archived in half a minute, and what ended the watch */
  waitFor(runIds: readonly string[]): Promise<void>;
}

const WATCH_SECONDS = 600;
const PATIENCE_MS = 30_000;

function watchStatuses({ kubernetes, signal }: BenchStack): Statuses {
  const times = new Map<string, number>();
  const stopping = new AbortController();
  const watching = watch();
  // Told to whoever waits.
  watching.catch(() => undefined);
  /** The server cuts watches now and then; the next one goes on where the last one ended. */
  async function watch(): Promise<never> {
    const phaseRuns = kubernetes.resource<PhaseRun>(PHASE_RUNS);
    const options = {
      timeoutSeconds: WATCH_SECONDS,
      silenceMs: 1000 * WATCH_SECONDS,
      signal: AbortSignal.any([signal, stopping.signal]),
    };
    for (let resourceVersion: string | undefined; ; ) {
      for await (const { type, object } of phaseRuns.watch({ ...options, resourceVersion })) {
        ({ resourceVersion } = object.metadata);
        const { runId } = type === 'MODIFIED' ? object.spec : {};
        if (runId !== undefined && isArchived(object) && !times.has(runId))
          times.set(runId, performance.now());
      }
    }
  }
  return {
    times,
    async waitFor(runIds) {
      const patience = AbortSignal.any([signal, AbortSignal.timeout(PATIENCE_MS)]);
      const allSeen = async () => {
        while (!runIds.every((runId) => times.has(runId))) await sleep(10, undefined, { signal: patience });
      };
      await Promise.race([watching, allSeen()]);
    },
    [Symbol.dispose]: () => stopping.abort(),
  };
}
