import type { Figure } from '../figure.ts';
import { type Lifecycles, runLifecycles, STEPS } from '../lifecycle.ts';
import { median, quantile } from '../measure.ts';
import { CALLERS, createPhaseRuns, createRuns, type Drain, drain, requireArchived } from '../phase-runs.ts';
import type { Section } from '../section.ts';

const LOOP = { first: 'create', last: 'status', concurrency: CALLERS } as const;
const WHOLE_LIFE = { ...LOOP, last: 'delete' } as const;
/** What a drain does and nothing else: the objects are there. */
const REST = { ...LOOP, first: 'transaction' } as const;

/** A controller that starts on PhaseRuns that wait for it, beside loops of the bare calls. */
export const drainSection: Section = {
  name: 'drain',
  help: 'a controller that starts on 2,000 waiting PhaseRuns, beside loops of the bare calls, 16 at once',
  async measure(stack, { quick, onProgress }) {
    const [rounds, backlog, bare] = quick ? [1, 300, 150] : [3, 2_000, 1_000];
    const nextRuns = createRuns(stack);
    const found: Round[] = [];
    // Connections, statements and code are warm before the first round.
    await runLifecycles(stack, nextRuns(bare / 5), WHOLE_LIFE);
    for (let round = 1; round <= rounds; round += 1) {
      onProgress(`round ${round} of ${rounds}`);
      const runs = nextRuns(backlog);
      await createPhaseRuns(stack, runs);
      const loop = await runLifecycles(stack, nextRuns(bare), LOOP);
      const wholeLife = await runLifecycles(stack, nextRuns(bare), WHOLE_LIFE);
      const rest = await runLifecycles(stack, nextRuns(bare), REST);
      const drained = await drain(stack, runs);
      await drained.controller.stop();
      found.push({ drained, loop, wholeLife, rest });
    }
    await requireArchived(stack, rounds * backlog);
    return { figures: [...rates(found, backlog), ...ratios(found), ...stepTimes(found)] };
  },
};

interface Round {
  readonly drained: Drain;
  readonly loop: Lifecycles;
  readonly wholeLife: Lifecycles;
  readonly rest: Lifecycles;
}

function rates(rounds: readonly Round[], backlog: number): Figure[] {
  const rate = (name: string, of: (round: Round) => number): Figure => ({
    name,
    value: median(rounds.map(of)),
    unit: 'runs/s',
  });
  return [
    rate(`drain of ${backlog}, first row to last row`, ({ drained }) => drained.rowsPerSecond),
    rate(`drain of ${backlog}, first row to last status`, ({ drained }) => drained.runsPerSecond),
    rate('  bare create + transaction + status', ({ loop }) => loop.runsPerSecond),
    rate('  bare create + transaction + status + delete', ({ wholeLife }) => wholeLife.runsPerSecond),
    rate('  bare transaction + status', ({ rest }) => rest.runsPerSecond),
  ];
}

/** Of each round, for the machine is the same only within one. */
function ratios(rounds: readonly Round[]): Figure[] {
  const ratio = (floor: 'loop' | 'wholeLife' | 'rest') =>
    median(rounds.map((round) => round.drained.rowsPerSecond / round[floor].runsPerSecond));
  const name = 'drain, rows';
  return [
    { name, value: ratio('loop'), unit: '× bare create + transaction + status', target: { atLeast: 1.2 } },
    { name, value: ratio('wholeLife'), unit: '× bare create + … + delete' },
    { name, value: ratio('rest'), unit: '× bare transaction + status', target: { atLeast: 0.8 } },
  ];
}

/** Of the calls one by one, within the loop of whole lives. */
function stepTimes(rounds: readonly Round[]): Figure[] {
  return STEPS.flatMap((step) => {
    const times = rounds.flatMap(({ wholeLife }) => wholeLife.times[step]).toSorted((a, b) => a - b);
    const name = `  bare ${step}, ${CALLERS} at once`;
    return [
      { name: `${name}, p50`, value: quantile(times, 0.5), unit: 'ms' },
      { name: `${name}, p99`, value: quantile(times, 0.99), unit: 'ms' },
    ];
  });
}
