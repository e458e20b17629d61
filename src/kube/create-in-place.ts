import { type AcceptedStore, draftPhaseRun } from '../resources/phase-run-draft.ts';
import type { Deadline } from './deadline.ts';
import { hasStatus } from './kube-error.ts';
import type { PhaseRunName, PhaseRunWriter } from './phase-run-writer.ts';

/**
 * Creates the PhaseRun of a store at its place. One that comes late may find its place taken by another that comes late, and
 * then takes the next one that is free.
 * @throws KubeError, AlreadyExists when there is none
 */
export async function createInPlace(
  phaseRuns: Pick<PhaseRunWriter, 'create'>,
  store: AcceptedStore,
  deadline: Deadline,
): Promise<PhaseRunName> {
  const { order, orderBelow = order + 1 } = store;
  const draft = draftPhaseRun(store);
  try {
    await phaseRuns.create(draft, deadline);
    return draft.metadata;
  } catch (error) {
    if (!isTaken(error) || order + 1 >= orderBelow) throw error;
    return createInPlace(phaseRuns, { ...store, order: order + 1 }, deadline);
  }
}

function isTaken(error: unknown): boolean {
  return hasStatus(error, 409) && error.reason === 'AlreadyExists';
}
