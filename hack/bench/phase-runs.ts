import { setTimeout as sleep } from 'node:timers/promises';
import type { ResourceDefinition } from '../../src/kube/resource.ts';
import { PHASE_RUNS, type PhaseRun } from '../../src/resources/phase-run.ts';
import { atOnce } from './at-once.ts';
import { type BenchRun, makeBenchRun } from './bench-run.ts';
import { type CommittedRows, hearCommittedRows } from './committed-rows.ts';
import { createBodies } from './payload.ts';
import type { RoleProcess } from './role-process.ts';
import type { BenchStack } from './stack.ts';

/** Callers of a closed loop: as many as the slots that the controller works on at once, by default. */
export const CALLERS = 16;

const PAYLOAD_BYTES = 1_000;

/** Makes ever other runs of a payload of 1 KB, no two in one slot; `above` as for {@link createBodies}. */
export function createRuns(stack: BenchStack, above = 0): (count: number) => BenchRun[] {
  const nextBody = createBodies(stack.tenant.forgeNamespace, above);
  return (count) => Array.from({ length: count }, () => makeBenchRun(stack, nextBody(PAYLOAD_BYTES)));
}

/** Creates a PhaseRun, or the like of one: here and below `kind` may be its twin. */
export async function createPhaseRun(
  stack: BenchStack,
  { draft }: BenchRun,
  kind: ResourceDefinition = PHASE_RUNS,
): Promise<void> {
  const { metadata, spec } = draft;
  await stack.kubernetes.resource<PhaseRun>(kind).create({ metadata, spec });
}

export function createPhaseRuns(
  stack: BenchStack,
  runs: readonly BenchRun[],
  kind?: ResourceDefinition,
): Promise<void> {
  const { signal } = stack;
  return atOnce(runs, { concurrency: CALLERS, signal }, (run) => createPhaseRun(stack, run, kind));
}

/** Deletes PhaseRuns that are archived. */
export function deletePhaseRuns(
  stack: BenchStack,
  runs: readonly BenchRun[],
  kind: ResourceDefinition = PHASE_RUNS,
): Promise<void> {
  const phaseRuns = stack.kubernetes.resource<PhaseRun>(kind);
  const { signal } = stack;
  return atOnce(runs, { concurrency: CALLERS, signal }, ({ draft }) => phaseRuns.delete(draft.metadata));
}

/** What a controller made of a backlog. */
export interface Drain {
  /** It leads, and has nothing left to do. */
  readonly controller: RoleProcess;
  /** From the first row to the last. */
  readonly rowsPerSecond: number;
  /** From the first row to the last status. */
  readonly runsPerSecond: number;
}

/** Starts a controller on PhaseRuns that wait for one, and waits until all of them are archived. */
export async function drain(
  stack: BenchStack,
  runs: readonly BenchRun[],
  start = () => stack.start('controller'),
  kind: ResourceDefinition = PHASE_RUNS,
): Promise<Drain> {
  await using rows = await hearCommittedRows(stack.databaseUrl);
  const controller = await start();
  const { first, last, settled } = await archivedTimes(stack, runs, rows, kind);
  return {
    controller,
    rowsPerSecond: (1000 * (runs.length - 1)) / (last - first),
    runsPerSecond: (1000 * runs.length) / (settled - first),
  };
}

/** Creates PhaseRuns in a closed loop of {@link CALLERS} while a controller runs; runs a second until all are archived. */
export async function sustain(
  stack: BenchStack,
  runs: readonly BenchRun[],
  kind: ResourceDefinition = PHASE_RUNS,
): Promise<number> {
  await using rows = await hearCommittedRows(stack.databaseUrl);
  const startedAt = performance.now();
  await createPhaseRuns(stack, runs, kind);
  const { settled } = await archivedTimes(stack, runs, rows, kind);
  return (1000 * runs.length) / (settled - startedAt);
}

/** As {@link sustain}, on a controller that leaves so many PhaseRuns: runs a second until the others are deleted. */
export async function sustainDeleting(
  stack: BenchStack,
  runs: readonly BenchRun[],
  left: number,
): Promise<number> {
  const phaseRuns = stack.kubernetes.resource<PhaseRun>(PHASE_RUNS);
  const startedAt = performance.now();
  await createPhaseRuns(stack, runs);
  const deadline = performance.now() + PATIENCE_MS;
  for (let all = await phaseRuns.list(); all.length > left || !all.every(isArchived); ) {
    if (performance.now() > deadline)
      throw new Error(`${all.length} PhaseRuns are left, of which ${left} may be`);
    await sleep(COUNT_AGAIN_MS, undefined, { signal: stack.signal });
    all = await phaseRuns.list();
  }
  return (1000 * runs.length) / (performance.now() - startedAt);
}

/** Waits until all runs are archived: `performance.now()` of the first and the last row, and of the last status. */
async function archivedTimes(
  stack: BenchStack,
  runs: readonly BenchRun[],
  rows: CommittedRows,
  kind: ResourceDefinition,
): Promise<{ readonly first: number; readonly last: number; readonly settled: number }> {
  const runOf = new Map(runs.map((run) => [run.runId, run]));
  await rows.waitFor([...runOf.keys()], stack.signal);
  const times = [...rows.times].filter(([runId]) => runOf.has(runId));
  // Statuses are begun in the order of the rows, no more than the callers' number at once: those of the last rows end last.
  const lastRows = times.slice(-2 * CALLERS).flatMap(([runId]) => runOf.get(runId) ?? []);
  for (const run of lastRows) await untilArchived(stack, run, kind);
  const settled = performance.now();
  return { first: times[0]?.[1] ?? Number.NaN, last: times.at(-1)?.[1] ?? Number.NaN, settled };
}

const LOOK_AGAIN_MS = 5;
const COUNT_AGAIN_MS = 200;
/** For deletions, once all is created. */
const PATIENCE_MS = 120_000;
const STATUS_TIMEOUT_MS = 30_000;

async function untilArchived(
  stack: BenchStack,
  { draft }: BenchRun,
  kind: ResourceDefinition,
): Promise<void> {
  const phaseRuns = stack.kubernetes.resource<PhaseRun>(kind);
  const deadline = performance.now() + STATUS_TIMEOUT_MS;
  while (!isArchived(await phaseRuns.get(draft.metadata))) {
    if (performance.now() > deadline) throw new Error(`${draft.metadata.name} is a row without a status`);
    await sleep(LOOK_AGAIN_MS, undefined, { signal: stack.signal });
  }
}

/** @throws Error when a PhaseRun is there that is not archived, or there are not so many */
export async function requireArchived(
  stack: BenchStack,
  count: number,
  kind: ResourceDefinition = PHASE_RUNS,
): Promise<void> {
  const all = await stack.kubernetes.resource<PhaseRun>(kind).list();
  const archived = all.filter(isArchived).length;
  if (archived !== count || all.length !== count)
    throw new Error(`of ${all.length} PhaseRuns ${archived} are archived: there should be ${count}`);
}

export function isArchived({ status }: PhaseRun): boolean {
  return status?.conditions?.some(({ type, status: is }) => type === 'Archived' && is === 'True') ?? false;
}
