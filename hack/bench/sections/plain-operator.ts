import type { ResourceDefinition } from '../../../src/kube/resource.ts';
import { PHASE_RUNS } from '../../../src/resources/phase-run.ts';
import type { BenchRun } from '../bench-run.ts';
import type { Figure, Target } from '../figure.ts';
import { runLifecycles } from '../lifecycle.ts';
import { median, quantile } from '../measure.ts';
import {
  CALLERS,
  createPhaseRuns,
  createRuns,
  deletePhaseRuns,
  drain,
  requireArchived,
  sustain,
} from '../phase-runs.ts';
import { preparePlainOperator } from '../plain-operator.ts';
import { cpuSeconds, residentMemory } from '../process-usage.ts';
import type { RoleProcess } from '../role-process.ts';
import type { Section } from '../section.ts';
import { ship } from '../shipped.ts';
import type { BenchStack } from '../stack.ts';
import { createSteadily, type Delays } from '../steady-creates.ts';
import { TWIN_RUNS } from '../twin-kind.ts';

const WHOLE_LIFE = { first: 'create', last: 'delete', concurrency: CALLERS } as const;

const STEADY_PER_SECOND = 100;

/** The controller as shipped beside an operator in Go that does the same work, each alone on the same servers, in turns. */
export const plainOperatorSection: Section = {
  name: 'plain-operator',
  help: 'drain, live, latency, CPU and memory beside a plain operator in Go that does the same work; needs Go 1.26',
  async prepare(options) {
    await preparePlainOperator(options);
  },
  async measure(stack, { quick, onProgress }) {
    const rounds = quick ? 1 : 3;
    const load = quick ? { runs: 200, steadySeconds: 3 } : { runs: 2_000, steadySeconds: 20 };
    const operator = await preparePlainOperator({ onProgress, signal: stack.signal });
    await using shipped = await ship(stack);
    const ours = { kind: PHASE_RUNS, start: () => shipped.start('controller') };
    const plain = { kind: TWIN_RUNS, start: () => stack.start(operator) };
    const nextRuns = createRuns(stack);
    const take = (contender: Contender) => takeTurn(stack, contender, nextRuns, load);
    // The servers are warm before the first round; each operator starts cold.
    await runLifecycles(stack, nextRuns(load.runs / 10), WHOLE_LIFE);
    const found: Round[] = [];
    for (let round = 1; round <= rounds; round += 1) {
      onProgress(`round ${round} of ${rounds}`);
      // In the one order and then in the other, so that neither always finds the servers as its rival left them.
      if (round % 2 === 1) found.push({ ours: await take(ours), plain: await take(plain) });
      else found.push({ plain: await take(plain), ours: await take(ours) });
    }
    return { figures: measures(load).flatMap((measure) => compare(measure, found)) };
  },
};

/** An operator, and the kind that it watches: objects of the two never mix. */
interface Contender {
  readonly kind: ResourceDefinition;
  readonly start: () => Promise<RoleProcess>;
}

interface Load {
  /** Of the backlog, and again while the operator runs. */
  readonly runs: number;
  readonly steadySeconds: number;
}

interface Turn {
  readonly drainedRowsPerSecond: number;
  readonly drainedRunsPerSecond: number;
  readonly livePerSecond: number;
  /** Of the operator, for 1,000 of the runs that came while it ran. */
  readonly cpuSeconds: number;
  readonly delays: Delays;
  /** MB, at the end. */
  readonly memory: number;
}

interface Round {
  readonly ours: Turn;
  readonly plain: Turn;
}

/** Starts one operator on a backlog, has it live on, and ends it; its objects go with it. */
async function takeTurn(
  stack: BenchStack,
  { kind, start }: Contender,
  nextRuns: (count: number) => BenchRun[],
  { runs, steadySeconds }: Load,
): Promise<Turn> {
  const backlog = nextRuns(runs);
  await createPhaseRuns(stack, backlog, kind);
  const { controller, rowsPerSecond, runsPerSecond } = await drain(stack, backlog, start, kind);
  const live = nextRuns(runs);
  const cpuBefore = await cpuSeconds(controller.pid);
  const livePerSecond = await sustain(stack, live, kind);
  const cpu = (await cpuSeconds(controller.pid)) - cpuBefore;
  const steady = nextRuns(steadySeconds * STEADY_PER_SECOND);
  const delays = await createSteadily(stack, steady, STEADY_PER_SECOND, kind);
  const { now: memory } = await residentMemory(controller.pid);
  await controller.stop();
  const all = [...backlog, ...live, ...steady];
  await requireArchived(stack, all.length, kind);
  await deletePhaseRuns(stack, all, kind);
  return {
    drainedRowsPerSecond: rowsPerSecond,
    drainedRunsPerSecond: runsPerSecond,
    livePerSecond,
    cpuSeconds: (1000 * cpu) / runs,
    delays,
    memory,
  };
}

/** What is compared, and how ours is to be to the other's. */
interface Measure {
  readonly name: string;
  readonly unit: string;
  readonly of: (turn: Turn) => number;
  readonly target?: Target;
}

function measures({ runs, steadySeconds }: Load): readonly Measure[] {
  const all = 2 * runs + steadySeconds * STEADY_PER_SECOND;
  return [
    {
      name: `drain of ${runs}, first row to last row`,
      unit: 'rows/s',
      of: ({ drainedRowsPerSecond }) => drainedRowsPerSecond,
      target: { atLeast: 1 },
    },
    {
      name: `drain of ${runs}, first row to last status`,
      unit: 'runs/s',
      of: ({ drainedRunsPerSecond }) => drainedRunsPerSecond,
    },
    {
      name: 'live, until all are archived',
      unit: 'runs/s',
      of: ({ livePerSecond }) => livePerSecond,
      target: { atLeast: 1 },
    },
    {
      name: `create to row at ${STEADY_PER_SECOND}/s, p50`,
      unit: 'ms',
      of: ({ delays }) => quantile(delays.toRow, 0.5),
      target: { atMost: 1 },
    },
    {
      name: `create to row at ${STEADY_PER_SECOND}/s, p99`,
      unit: 'ms',
      of: ({ delays }) => quantile(delays.toRow, 0.99),
      target: { atMost: 1 },
    },
    {
      name: `create to status at ${STEADY_PER_SECOND}/s, p50`,
      unit: 'ms',
      of: ({ delays }) => quantile(delays.toStatus, 0.5),
    },
    { name: 'live, CPU of the operator per 1,000 runs', unit: 's', of: ({ cpuSeconds }) => cpuSeconds },
    { name: `resident, ${all} PhaseRuns`, unit: 'MB', of: ({ memory }) => memory },
  ];
}

/** Both values, and their ratio: of each round, for the machine is the same only within one. */
function compare({ name, unit, of, target }: Measure, rounds: readonly Round[]): Figure[] {
  return [
    { name, value: median(rounds.map(({ ours }) => of(ours))), unit },
    { name: `  ${name}, plain operator`, value: median(rounds.map(({ plain }) => of(plain))), unit },
    {
      name,
      value: median(rounds.map(({ ours, plain }) => of(ours) / of(plain))),
      unit: '× plain operator',
      ...(target !== undefined && { target }),
    },
  ];
}
