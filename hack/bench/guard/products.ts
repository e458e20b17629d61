import { type Load, measure, type Subject, summarise } from '../measure.ts';
import { createBodies } from '../payload.ts';
import { createPhaseRuns, createRuns, drain } from '../phase-runs.ts';
import type { RoleName, RoleProcess } from '../role-process.ts';
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
 * Measures both versions side by side, in turns.
 * @throws NotComparableError when the version before fails
 */
export function compareProducts(options: CompareOptions): Promise<Rounds> {
  const { before, now, slowDown, onProgress, signal } = options;
  onProgress('starting the servers of both versions');
  return withStack({ product: now, onProgress, signal }, async (nowStack) => {
    let began = false;
    try {
      return await withStack({ product: before, onProgress, signal }, async (beforeStack) => {
        began = true;
        const slow = slowDown ? { NODE_OPTIONS: `--import=${SLOW_DOWN}` } : {};
        const contenders = {
          before: new Contender('before', beforeStack, {}),
          now: new Contender('now', nowStack, slow),
        };
        const calls = await compareCalls(contenders, onProgress);
        return { ...calls, drain: await compareDrains(contenders, onProgress) };
      });
    } catch (error) {
      throw began || signal.aborted ? error : notComparable(error);
    }
  });
}

/** A version, with servers of its own. */
class Contender {
  readonly name: keyof Round;
  readonly stack: BenchStack;
  readonly #settings: Readonly<Record<string, string>>;

  constructor(name: keyof Round, stack: BenchStack, settings: Readonly<Record<string, string>>) {
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

type Contenders = Readonly<Record<keyof Round, Contender>>;

/** Has both take their turn, in the one order and then in the other, so that neither always finds the machine as its rival left it. */
async function takeTurns(rounds: number, turn: (of: keyof Round) => Promise<number>): Promise<Round[]> {
  const taken: Round[] = [];
  for (let round = 0; round < rounds; round += 1) {
    const order = round % 2 === 0 ? (['before', 'now'] as const) : (['now', 'before'] as const);
    const times = { before: Number.NaN, now: Number.NaN };
    for (const of of order) times[of] = await turn(of);
    taken.push(times);
  }
  return taken;
}

async function compareCalls(
  { before, now }: Contenders,
  onProgress: (message: string) => void,
): Promise<Pick<Rounds, 'store' | 'retrieve'>> {
  await using opened = new AsyncDisposableStack();
  const calls = { before: await serve(before, opened), now: await serve(now, opened) };
  const contenders = { before, now };
  const turnOf = (call: 'store' | 'retrieve', load: Load) => (of: keyof Round) =>
    contenders[of].attempt(async () => {
      const sample = await measure(calls[of][call], load, contenders[of].stack.signal);
      return summarise([sample]).p50;
    });
  const compare = async (call: 'store' | 'retrieve', load: Load) => {
    onProgress(`${call}, ${CALL_ROUNDS} rounds`);
    await takeTurns(1, turnOf(call, load));
    return takeTurns(CALL_ROUNDS, turnOf(call, load));
  };
  return { store: await compare('store', STORE), retrieve: await compare('retrieve', RETRIEVE) };
}

/** The processes of a version, with what is known of some issues, until `opened` ends. */
function serve(
  contender: Contender,
  opened: AsyncDisposableStack,
): Promise<{ readonly store: Subject; readonly retrieve: Subject }> {
  const { signal, tenant } = contender.stack;
  const { forgeNamespace, apiKey } = tenant;
  return contender.attempt(async () => {
    const controller = await contender.start('controller');
    opened.defer(() => controller.stop());
    const api = await contender.start('api');
    opened.defer(() => api.stop());
    const { concurrency: connections } = STORE;
    const runner = opened.use(createRunner({ url: api.url, apiKey, connections, signal }));
    const known = { forgeNamespace, issues: KNOWN_ISSUES, payloadBytes: PAYLOAD_BYTES };
    const queries = await storeKnownIssues(runner, known);
    const nextBody = createBodies(forgeNamespace);
    return {
      store: storing(runner, () => nextBody(PAYLOAD_BYTES)),
      retrieve: retrieving(runner, queries),
    };
  });
}

/** Milliseconds a row, from the first to the last of a backlog. */
function compareDrains(
  contenders: Contenders,
  onProgress: (message: string) => void,
): Promise<readonly Round[]> {
  onProgress(`drain of ${BACKLOG}, ${DRAIN_ROUNDS} rounds`);
  const nextRuns = {
    before: createRuns(contenders.before.stack, BACKLOG_ISSUES),
    now: createRuns(contenders.now.stack, BACKLOG_ISSUES),
  };
  return takeTurns(DRAIN_ROUNDS, (of) => {
    const contender = contenders[of];
    return contender.attempt(async () => {
      const runs = nextRuns[of](BACKLOG);
      await createPhaseRuns(contender.stack, runs);
      const { controller, rowsPerSecond } = await drain(contender.stack, runs, () =>
        contender.start('controller'),
      );
      await controller.stop();
      return 1000 / rowsPerSecond;
    });
  });
}
