import type { BenchRun } from '../bench-run.ts';
import { type LifecycleOptions, runLifecycles } from '../lifecycle.ts';
import { median } from '../measure.ts';
import { CALLERS, createRuns, requireArchived, sustain, sustainDeleting } from '../phase-runs.ts';
import type { Section, SectionOptions } from '../section.ts';
import type { BenchStack } from '../stack.ts';

const LOOP = { first: 'create', last: 'status', concurrency: CALLERS } as const;
const WHOLE_LIFE = { ...LOOP, last: 'delete' } as const;
/** Archived PhaseRuns that the controller leaves where it deletes: each that comes soon costs one that goes. */
const LEFT = 100;
/** Above the issues of what is kept. */
const DELETED_ISSUES = 1_000_000;

/** A closed loop of creates while API and controller run, beside a loop of the bare calls: until archived, until deleted. */
export const liveSection: Section = {
  name: 'live',
  help: 'runs a second while 16 callers create PhaseRuns and the controller archives, and deletes, them, beside bare calls',
  async measure(stack, options) {
    const deleting = await measureLive(stack, options, {
      settings: { MAX_ARCHIVED_PHASERUNS: String(LEFT) },
      loop: WHOLE_LIFE,
      sustain: (runs) => sustainDeleting(stack, runs, LEFT),
    });
    const kept = await measureLive(stack, options, {
      settings: {},
      loop: LOOP,
      sustain: (runs) => sustain(stack, runs),
    });
    await requireArchived(stack, LEFT + kept.runs);
    const unit = '× bare create + transaction + status';
    return {
      figures: [
        { name: 'live, until all are archived', value: kept.rate, unit: 'runs/s' },
        { name: '  bare create + transaction + status', value: kept.bareRate, unit: 'runs/s' },
        { name: 'live', value: kept.ratio, unit, target: { atLeast: 0.8 } },
        { name: 'live, at least as a plain operator', value: kept.ratio, unit, target: { atLeast: 0.96 } },
        { name: 'live, until all are archived and deleted', value: deleting.rate, unit: 'runs/s' },
        { name: '  bare create + transaction + status + delete', value: deleting.bareRate, unit: 'runs/s' },
        {
          name: 'live, deleting',
          value: deleting.ratio,
          unit: '× bare create + … + delete',
          target: { atLeast: 0.8 },
        },
      ],
    };
  },
};

interface Live {
  readonly settings: Readonly<Record<string, string>>;
  readonly loop: LifecycleOptions;
  /** Runs a second. */
  readonly sustain: (runs: readonly BenchRun[]) => Promise<number>;
}

/** Rounds of the loop and of ours; of medians, but the ratio, which is of each round. */
async function measureLive(
  stack: BenchStack,
  { quick, onProgress }: SectionOptions,
  live: Live,
): Promise<{
  readonly runs: number;
  readonly rate: number;
  readonly bareRate: number;
  readonly ratio: number;
}> {
  const [rounds, runs, bare] = quick ? [1, 300, 150] : [3, 2_000, 1_000];
  const nextRuns = createRuns(stack, live.loop.last === 'delete' ? DELETED_ISSUES : 0);
  const controller = await stack.start('controller', live.settings);
  const api = await stack.start('api');
  const warmUp = bare / 5;
  await runLifecycles(stack, nextRuns(warmUp), live.loop);
  await live.sustain(nextRuns(warmUp));
  const rates: number[] = [];
  const floors: number[] = [];
  for (let round = 1; round <= rounds; round += 1) {
    onProgress(`until ${live.loop.last}, round ${round} of ${rounds}`);
    floors.push((await runLifecycles(stack, nextRuns(bare), live.loop)).runsPerSecond);
    rates.push(await live.sustain(nextRuns(runs)));
  }
  await Promise.all([controller.stop(), api.stop()]);
  const ratio = median(rates.map((rate, round) => rate / (floors[round] ?? Number.NaN)));
  return { runs: rounds * runs + warmUp, rate: median(rates), bareRate: median(floors), ratio };
}
