import { isFinished } from '../domain/phase.ts';
import { slotLabel, slotOf } from '../domain/slot.ts';
import { problemOf } from '../domain/spelled-fields.ts';
import type { Deadline } from '../kube/deadline.ts';
import type { PhaseRunName, PhaseRunWriter } from '../kube/phase-run-writer.ts';
import { SLOT_LABEL } from '../resources/annotations.ts';
import type { AcceptedStore } from '../resources/phase-run-draft.ts';
import type { StoreAdmission } from '../store/admission.ts';
import { ProblemError } from './problem.ts';

/** What a store does: a run of its own, a running one moved forward, or one that has ended and can only be repeated. */
export type StoreTarget =
  | { readonly kind: 'create' }
  | {
      readonly kind: 'move' | 'repeat';
      readonly runId: string;
      readonly phaseRun: PhaseRunName;
      /** Whether the caller named the run, and so gets this one or none. */
      readonly named: boolean;
    };

/**
 * Chooses by what the admission found. A run that the caller names and Postgres has not seen yet was answered with
 * 202 a moment ago: it is looked for among the PhaseRuns of the slot.
 * @throws ProblemError 422 when the caller names no run of its own
 */
export async function chooseTarget(
  phaseRuns: Pick<PhaseRunWriter, 'find'>,
  store: AcceptedStore,
  { running, runIdStatus }: Pick<StoreAdmission, 'running' | 'runIdStatus'>,
  deadline: Deadline,
): Promise<StoreTarget> {
  const { runId } = store.request;
  if (running !== null) {
    const phaseRun = { namespace: running.phaseRunNamespace, name: running.phaseRunName };
    const kind = isFinished(running.status) ? 'repeat' : 'move';
    return { kind, runId: running.runId, phaseRun, named: runId !== undefined };
  }
  if (runId === undefined) return { kind: 'create' };
  const found = runIdStatus === 'free' ? await findUnseen(phaseRuns, store, runId, deadline) : undefined;
  if (found === undefined) throw runNotFound();
  return { kind: 'move', runId, phaseRun: found, named: true };
}

async function findUnseen(
  phaseRuns: Pick<PhaseRunWriter, 'find'>,
  { request, namespace }: AcceptedStore,
  runId: string,
  deadline: Deadline,
): Promise<PhaseRunName | undefined> {
  const labelSelector = `${SLOT_LABEL}=${slotLabel(slotOf(request))}`;
  const found = await phaseRuns.find(namespace, { labelSelector, runId }, deadline);
  return found?.spec.phase === request.phase ? found.metadata : undefined;
}

/** Nothing is said of whether it exists elsewhere. */
export function runNotFound(): ProblemError {
  const problem = problemOf('runId', 'names no run of this repository, phase, and issue or commit');
  return new ProblemError('RUN_NOT_FOUND', problem.message, { errors: [problem] });
}
