import type { Figure, Target } from '../figure.ts';
import { storeFloors } from '../floors.ts';
import { measure, quantile, summarise } from '../measure.ts';
import { createBodies } from '../payload.ts';
import { createRuns } from '../phase-runs.ts';
import type { Section } from '../section.ts';
import type { BenchStack } from '../stack.ts';
import { createSteadily } from '../steady-creates.ts';

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
    const [{ perSecond: ease }] = RATES;
    const figures = [await measureFloor(stack, ease)];
    await createSteadily(stack, nextRuns(3 * ease), ease);
    for (const { perSecond, targets } of RATES) {
      const runs = nextRuns(seconds * perSecond);
      onProgress(`${runs.length} PhaseRuns, ${perSecond} a second`);
      const { toRow, toStatus } = await createSteadily(stack, runs, perSecond);
      figures.push(
        ...quantiles(`create to row at ${perSecond}/s`, toRow, targets),
        ...quantiles(`create to status at ${perSecond}/s`, toStatus, {}),
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
