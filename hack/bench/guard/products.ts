import { type Load, measure, type Subject, summarise } from '../measure.ts';
import { createBodies } from '../payload.ts';
import { createPhaseRuns, createRuns, drain } from '../phase-runs.ts';
import { createRunner, retrieving, storeKnownIssues, storing } from '../runner.ts';
import { type BenchStack, withStack } from '../stack.ts';
import { NotComparableError } from './not-comparable.ts';
import type { Round, Rounds } from './verdict.ts';

export interface CompareOptions {
  /** Checkouts with their packages. */
  readonly before: string;
  readonly now: string;
  /** Whether the processes of `now` are slowed down. */
  readonly slowDown: boolean;
  readonly onProgress: (message: string) => void;
  readonly signal: AbortSignal;
}

const CALL_ROUNDS = 9;
const DRAIN_ROUNDS = 5;
const STORE: Load = { calls: 120, concurrency: 8, pauseMs: 0 };
const RETRIEVE: Load = { calls: 480, concurrency: 8, pauseMs: 0 };
const PAYLOAD_BYTES = 1_000;
const KNOWN_ISSUES = 10;
/** PhaseRuns that wait for a controller. */
const BACKLOG = 300;
/** Above the issues of the stores. */
const BACKLOG_ISSUES = 2_000_000;

const SLOW_DOWN = new URL('slow-down.ts', import.meta.url).href;

/**
 * Measures both versions side by side, in turns. The version of now goes first wherever it may fail, since what is wrong with the
 * bench is wrong for both.
 * @throws NotComparableError when the version before does not start; what either threw once both have
 */
export function compareProducts(options: CompareOptions): Promise<Rounds> {
  const { before, now, slowDown, onProgress, signal } = options;
  onProgress('starting the servers of both versions');
  return withStack({ product: now, onProgress, signal }, async (nowStack) => {
    await using opened = new AsyncDisposableStack();
    const settings = slowDown ? { NODE_OPTIONS: `--import=${SLOW_DOWN}` } : {};
    const current = { stack: nowStack, settings, ...(await serve({ stack: nowStack, settings }, opened)) };
    let began = false;
    try {
      return await withStack({ product: before, onProgress, signal }, async (stack) => {
        await using openedBefore = new AsyncDisposableStack();
        const earlier = { stack, settings: {}, ...(await serve({ stack, settings: {} }, openedBefore)) };
        began = true;
        return await compare({ before: earlier, now: current }, onProgress);
      });
    } catch (error) {
      if (began || signal.aborted) throw error;
      throw new NotComparableError(`the version before does not start: ${String(error)}`, { cause: error });
    }
  });
}

/** A version, with servers of its own. */
interface Version {
  readonly stack: BenchStack;
  readonly settings: Readonly<Record<string, string>>;
}

/** A version whose processes run, with what is known of some issues. */
interface Contender extends Version {
  readonly store: Subject;
  readonly retrieve: Subject;
  /** Ends its processes. */
  stop(): Promise<void>;
}

type Contenders = Readonly<Record<keyof Round, Contender>>;

/** Has both take their turn, in the one order and then in the other, so that neither always finds the machine as its rival left it. */
async function takeTurns(rounds: number, turn: (of: keyof Round) => Promise<number>): Promise<Round[]> {
  const taken: Round[] = [];
  for (let round = 0; round < rounds; round += 1) {
    const order = round % 2 === 0 ? (['now', 'before'] as const) : (['before', 'now'] as const);
    const times = { before: Number.NaN, now: Number.NaN };
    for (const of of order) times[of] = await turn(of);
    taken.push(times);
  }
  return taken;
}

async function compare(contenders: Contenders, onProgress: (message: string) => void): Promise<Rounds> {
  const compareCalls = async (call: 'store' | 'retrieve', load: Load) => {
    onProgress(`${call}, ${CALL_ROUNDS} rounds`);
    const turn = async (of: keyof Round) => {
      const { stack, [call]: subject } = contenders[of];
      return summarise([await measure(subject, load, stack.signal)]).p50;
    };
    // To get warm.
    await takeTurns(1, turn);
    return takeTurns(CALL_ROUNDS, turn);
  };
  const store = await compareCalls('store', STORE);
  const retrieve = await compareCalls('retrieve', RETRIEVE);
  await Promise.all([contenders.before.stop(), contenders.now.stop()]);
  onProgress(`drain of ${BACKLOG}, ${DRAIN_ROUNDS} rounds`);
  return { store, retrieve, drain: await compareDrains(contenders) };
}

async function serve(
  { stack, settings }: Version,
  opened: AsyncDisposableStack,
): Promise<Omit<Contender, keyof Version>> {
  const { forgeNamespace } = stack.tenant;
  const controller = await stack.start('controller', settings);
  const api = await stack.start('api', settings);
  const { concurrency: connections } = STORE;
  const runner = opened.use(createRunner(stack, { url: api.url, connections }));
  const known = { forgeNamespace, issues: KNOWN_ISSUES, payloadBytes: PAYLOAD_BYTES };
  const queries = await storeKnownIssues(runner, known);
  const nextBody = createBodies(forgeNamespace);
  return {
    store: storing(runner, () => nextBody(PAYLOAD_BYTES)),
    retrieve: retrieving(runner, queries),
    async stop() {
      await Promise.all([controller.stop(), api.stop()]);
    },
  };
}

/** Milliseconds a row, from the first to the last of a backlog. */
function compareDrains({ before, now }: Contenders): Promise<readonly Round[]> {
  const nextRuns = {
    before: createRuns(before.stack, BACKLOG_ISSUES),
    now: createRuns(now.stack, BACKLOG_ISSUES),
  };
  return takeTurns(DRAIN_ROUNDS, async (of) => {
    const { stack, settings } = { before, now }[of];
    const runs = nextRuns[of](BACKLOG);
    await createPhaseRuns(stack, runs);
    const { controller, rowsPerSecond } = await drain(stack, runs, () => stack.start('controller', settings));
    await controller.stop();
    return 1000 / rowsPerSecond;
  });
}
