import { storeFloors } from '../floors.ts';
import { runLifecycles } from '../lifecycle.ts';
import { type Load, measure, type Subject, summarise } from '../measure.ts';
import { createBodies } from '../payload.ts';
import { CALLERS, createPhaseRuns, createRuns, drain } from '../phase-runs.ts';
import type { RoleName, RoleProcess } from '../role-process.ts';
import { createRunner, type Runner, retrieving, storeKnownIssues, storing } from '../runner.ts';
import { type BenchStack, withStack } from '../stack.ts';
import { NotComparableError } from './not-comparable.ts';
import type { Costs, Guarded } from './verdict.ts';

export interface CompareOptions {
  /** Checkouts with their packages. */
  readonly before: string;
  readonly now: string;
  /** Whether the processes of `now` are slowed down. */
  readonly slowDown: boolean;
  readonly onProgress: (message: string) => void;
  readonly signal: AbortSignal;
}

const ROUNDS = 3;
const STORE: Load = { calls: 160, concurrency: 8, pauseMs: 0 };
const RETRIEVE: Load = { calls: 480, concurrency: 8, pauseMs: 0 };
const PAYLOAD_BYTES = 1_000;
const KNOWN_ISSUES = 10;
/** PhaseRuns that wait for a controller, and runs of the loop of bare calls. */
const BACKLOG = 400;
const LOOP_RUNS = 200;

/** Where the issues of the bare calls begin, so that they meet no others. */
const FLOOR_ISSUES = 2_000_000;

const SLOW_DOWN = new URL('slow-down.ts', import.meta.url).href;

/**
 * Measures both versions in turns, the bare calls in each turn on the servers of `now`.
 * @throws NotComparableError when the version before fails
 */
export async function compareProducts(
  options: CompareOptions,
): Promise<{ readonly before: Costs; readonly now: Costs }> {
  const { before, now, slowDown, onProgress, signal } = options;
  onProgress('starting the servers of both versions');
  return withStack({ product: now, onProgress, signal }, async (nowStack) => {
    let began = false;
    try {
      return await withStack({ product: before, onProgress, signal }, (beforeStack) => {
        began = true;
        const slow = slowDown ? { NODE_OPTIONS: `--import=${SLOW_DOWN}` } : {};
        return takeTurns(
          nowStack,
          [new Contender('before', beforeStack, {}), new Contender('now', nowStack, slow)],
          onProgress,
        );
      });
    } catch (error) {
      throw began || signal.aborted ? error : notComparable(error);
    }
  });
}

/** A version with what it was found to cost. */
class Contender {
  readonly name: 'before' | 'now';
  readonly stack: BenchStack;
  readonly costs: Record<Guarded, number[]> = { store: [], retrieve: [], drain: [] };
  readonly #settings: Readonly<Record<string, string>>;

  constructor(name: 'before' | 'now', stack: BenchStack, settings: Readonly<Record<string, string>>) {
    this.name = name;
    this.stack = stack;
    this.#settings = settings;
  }

  start(role: RoleName): Promise<RoleProcess> {
    return this.stack.start(role, this.#settings);
  }

  /** Does what the version has to be able to do: where the one before is not, it cannot be compared. */
  async attempt<T>(work: () => Promise<T>): Promise<T> {
    try {
      return await work();
    } catch (error) {
      throw this.name === 'now' || this.stack.signal.aborted ? error : notComparable(error);
    }
  }
}

function notComparable(error: unknown): NotComparableError {
  return new NotComparableError(`the version before failed: ${String(error)}`, { cause: error });
}

type Contenders = readonly [Contender, Contender];

async function takeTurns(
  floorStack: BenchStack,
  contenders: Contenders,
  onProgress: (message: string) => void,
): Promise<{ readonly before: Costs; readonly now: Costs }> {
  await compareCalls(floorStack, contenders, onProgress);
  await compareDrains(floorStack, contenders, onProgress);
  const [before, now] = contenders;
  return { before: before.costs, now: now.costs };
}

async function compareCalls(
  floorStack: BenchStack,
  contenders: Contenders,
  onProgress: (message: string) => void,
): Promise<void> {
  await using opened = new AsyncDisposableStack();
  const turns: { readonly contender: Contender; readonly store: Subject; readonly retrieve: Subject }[] = [];
  let queries: readonly URLSearchParams[] = [];
  for (const contender of contenders) {
    const { tenant } = contender.stack;
    await contender.attempt(async () => {
      const controller = await contender.start('controller');
      opened.defer(() => controller.stop());
      const api = await contender.start('api');
      opened.defer(() => api.stop());
      const runner = opened.use(connect(contender.stack, api));
      const known = {
        forgeNamespace: tenant.forgeNamespace,
        issues: KNOWN_ISSUES,
        payloadBytes: PAYLOAD_BYTES,
      };
      queries = await storeKnownIssues(runner, known);
      const nextBody = createBodies(tenant.forgeNamespace);
      turns.push({
        contender,
        store: storing(runner, () => nextBody(PAYLOAD_BYTES)),
        retrieve: retrieving(runner, queries),
      });
    });
  }
  const route = await floorStack.start('bare-route');
  opened.defer(() => route.stop());
  // What was stored is the same for both, and so are the queries.
  const bareRetrieve = retrieving(opened.use(connect(floorStack, route)), queries);
  const nextFloorBody = createBodies(floorStack.tenant.forgeNamespace, FLOOR_ISSUES);
  const bareStore = storeFloors(floorStack, () => nextFloorBody(PAYLOAD_BYTES));
  for (let round = 0; round <= ROUNDS; round += 1) {
    onProgress(
      round === 0 ? 'store and retrieve, to get warm' : `store and retrieve, round ${round} of ${ROUNDS}`,
    );
    for (const { contender, store, retrieve } of turns) {
      const { costs } = contender;
      const stored = await costOf(contender, store, bareStore, STORE);
      const retrieved = await costOf(contender, retrieve, [bareRetrieve], RETRIEVE);
      if (round === 0) continue;
      costs.store.push(stored);
      costs.retrieve.push(retrieved);
    }
  }
}

function connect(stack: BenchStack, { url }: RoleProcess): Runner {
  const { signal, tenant } = stack;
  return createRunner({ url, apiKey: tenant.apiKey, connections: STORE.concurrency, signal });
}

/** p50 of ours over the sum of those of the bare calls. */
async function costOf(
  contender: Contender,
  ours: Subject,
  floors: readonly Subject[],
  load: Load,
): Promise<number> {
  const { signal } = contender.stack;
  let floor = 0;
  for (const subject of floors) floor += summarise([await measure(subject, load, signal)]).p50;
  const sample = await contender.attempt(() => measure(ours, load, signal));
  return summarise([sample]).p50 / floor;
}

async function compareDrains(
  floorStack: BenchStack,
  contenders: Contenders,
  onProgress: (message: string) => void,
): Promise<void> {
  const nextFloorRuns = createRuns(floorStack, 2 * FLOOR_ISSUES);
  const nextRuns = new Map(contenders.map(({ stack }) => [stack, createRuns(stack, 3 * FLOOR_ISSUES)]));
  for (let round = 1; round <= ROUNDS; round += 1) {
    onProgress(`drain, round ${round} of ${ROUNDS}`);
    for (const contender of contenders) {
      const { stack, costs } = contender;
      const runs = nextRuns.get(stack)?.(BACKLOG) ?? [];
      await contender.attempt(() => createPhaseRuns(stack, runs));
      const loop = await runLifecycles(floorStack, nextFloorRuns(LOOP_RUNS), {
        first: 'create',
        last: 'status',
        concurrency: CALLERS,
      });
      const { controller, rowsPerSecond } = await contender.attempt(() =>
        drain(stack, runs, () => contender.start('controller')),
      );
      await controller.stop();
      costs.drain.push(loop.runsPerSecond / rowsPerSecond);
    }
  }
}
