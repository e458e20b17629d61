import { runLifecycles } from '../lifecycle.ts';
import { median } from '../measure.ts';
import { CALLERS, createRuns, requireArchived, sustain } from '../phase-runs.ts';
import type { Section } from '../section.ts';

const LOOP = { first: 'create', last: 'status', concurrency: CALLERS } as const;

/** A closed loop of creates while API and controller run, beside a loop of the bare calls. */
export const liveSection: Section = {
  name: 'live',
  help: 'runs a second while 16 callers create PhaseRuns and the controller archives them, beside a loop of the bare calls',
  async measure(stack, { quick, onProgress }) {
    const [rounds, runs, bare] = quick ? [1, 300, 150] : [3, 2_000, 1_000];
    const nextRuns = createRuns(stack);
    await stack.start('controller');
    await stack.start('api');
    const warmUp = bare / 5;
    await runLifecycles(stack, nextRuns(warmUp), LOOP);
    await sustain(stack, nextRuns(warmUp));
    const live: number[] = [];
    const floors: number[] = [];
    for (let round = 1; round <= rounds; round += 1) {
      onProgress(`round ${round} of ${rounds}`);
      floors.push((await runLifecycles(stack, nextRuns(bare), LOOP)).runsPerSecond);
      live.push(await sustain(stack, nextRuns(runs)));
    }
    await requireArchived(stack, rounds * runs + warmUp);
    const value = median(live.map((rate, round) => rate / (floors[round] ?? Number.NaN)));
    const unit = '× bare create + transaction + status';
    return {
      figures: [
        { name: 'live, until all are archived', value: median(live), unit: 'runs/s' },
        { name: '  bare create + transaction + status', value: median(floors), unit: 'runs/s' },
        { name: 'live', value, unit, target: { atLeast: 0.8 } },
        { name: 'live, at least as a plain operator', value, unit, target: { atLeast: 0.96 } },
      ],
    };
  },
};
