import { setTimeout as sleep } from 'node:timers/promises';
import type { ResourceDefinition } from '../../src/kube/resource.ts';
import { PHASE_RUNS } from '../../src/resources/phase-run.ts';
import { watchArchivedStatuses } from './archived-statuses.ts';
import type { BenchRun } from './bench-run.ts';
import { hearCommittedRows } from './committed-rows.ts';
import { createPhaseRun } from './phase-runs.ts';
import type { BenchStack } from './stack.ts';

/** How long after they were sent to be created PhaseRuns had a row, and a status that says so: milliseconds, in ascending order. */
export interface Delays {
  readonly toRow: readonly number[];
  readonly toStatus: readonly number[];
}

/** Creates so many PhaseRuns a second, whether or not those before are answered, and waits until all of them are archived. */
export async function createSteadily(
  stack: BenchStack,
  runs: readonly BenchRun[],
  perSecond: number,
  kind: ResourceDefinition = PHASE_RUNS,
): Promise<Delays> {
  await using rows = await hearCommittedRows(stack.databaseUrl);
  using statuses = await watchArchivedStatuses(stack, kind);
  const sent = await createOnSchedule(stack, runs, perSecond, kind);
  await rows.waitFor([...sent.keys()], stack.signal);
  await statuses.waitFor([...sent.keys()]);
  return { toRow: elapsed(sent, rows.times), toStatus: elapsed(sent, statuses.times) };
}

/** @returns `performance.now()` when each was sent, by run id */
async function createOnSchedule(
  stack: BenchStack,
  runs: readonly BenchRun[],
  perSecond: number,
  kind: ResourceDefinition,
): Promise<ReadonlyMap<string, number>> {
  const sent = new Map<string, number>();
  const creating: Promise<void>[] = [];
  const startedAt = performance.now();
  for (const [index, run] of runs.entries()) {
    const wait = startedAt + (1000 * index) / perSecond - performance.now();
    if (wait > 0) await sleep(wait, undefined, { signal: stack.signal });
    sent.set(run.runId, performance.now());
    const created = createPhaseRun(stack, run, kind);
    // One that fails is told of at the end, and not before somebody waits for it.
    created.catch(() => undefined);
    creating.push(created);
  }
  await Promise.all(creating);
  return sent;
}

function elapsed(sent: ReadonlyMap<string, number>, seen: ReadonlyMap<string, number>): number[] {
  const times = [...sent].map(([runId, at]) => (seen.get(runId) ?? Number.NaN) - at);
  return times.toSorted((a, b) => a - b);
}
