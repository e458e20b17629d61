import { setTimeout as sleep } from 'node:timers/promises';
import type { Figure } from '../figure.ts';
import { createPhaseRuns, createRuns, deletePhaseRuns, drain, requireArchived } from '../phase-runs.ts';
import { residentMemory } from '../process-usage.ts';
import type { Section } from '../section.ts';
import { type Shipped, ship } from '../shipped.ts';
import type { BenchStack } from '../stack.ts';

/** For what a process does first to be over, and its garbage to be collected. */
const SETTLE_MS = 5_000;

/** Resident memory of API and controller, as shipped, by the number of PhaseRuns, and the most while they are drained. */
export const memorySection: Section = {
  name: 'memory',
  help: 'resident memory of API and controller with 0, 1,000 and 10,000 PhaseRuns, and the most while they are drained',
  async measure(stack, { quick, onProgress }) {
    const [some, many] = quick ? [100, 500] : [1_000, 10_000];
    await using shipped = await ship(stack);
    const nextRuns = createRuns(stack);
    const figures = await measureFresh(stack, shipped, 0);
    for (const count of [some, many]) {
      onProgress(`${count} PhaseRuns`);
      const runs = nextRuns(count);
      await createPhaseRuns(stack, runs);
      const api = await shipped.start('api');
      const { controller, runsPerSecond } = await drain(stack, runs, () => shipped.start('controller'));
      const { now, peak } = await residentMemory(controller.pid);
      const apiPeak = (await residentMemory(api.pid)).peak;
      await Promise.all([api.stop(), controller.stop()]);
      const of = `controller, drain of ${count}`;
      figures.push(
        {
          name: `${of}, most`,
          value: peak,
          unit: 'MB',
          ...(count === 10_000 && { target: { atMost: 200 } }),
        },
        { name: `api, drain of ${count}, most`, value: apiPeak, unit: 'MB' },
        { name: `${of}, at its end`, value: now, unit: 'MB' },
        { name: of, value: runsPerSecond, unit: 'runs/s' },
        ...(await measureFresh(stack, shipped, count)),
      );
      await requireArchived(stack, count);
      await deletePhaseRuns(stack, runs);
    }
    return { figures };
  },
};

/** Of processes that were started with so many PhaseRuns there, all of them archived. */
async function measureFresh({ signal }: BenchStack, shipped: Shipped, count: number): Promise<Figure[]> {
  const controller = await shipped.start('controller');
  const api = await shipped.start('api');
  await sleep(SETTLE_MS, undefined, { signal });
  const figures = [
    {
      name: `controller, ${count} PhaseRuns`,
      value: (await residentMemory(controller.pid)).now,
      unit: 'MB',
      ...(count === 10_000 && { target: { atMost: 150 } }),
    },
    { name: `api, ${count} PhaseRuns`, value: (await residentMemory(api.pid)).now, unit: 'MB' },
  ];
  await Promise.all([api.stop(), controller.stop()]);
  return figures;
}
