import { type AcceptedStore, draftPhaseRun } from '../resources/phase-run-draft.ts';
import type { Deadline } from './deadline.ts';
import { hasStatus } from './kube-error.ts';
import type { PhaseRunName, PhaseRunWriter } from './phase-run-writer.ts';

/** Somebody who occupies more names than this in advance is not waited out. */
const NEW_PLACES = 5;

/**
 * Creates the PhaseRun of a store at its place. One that comes late may find its place taken by another that comes late, and
 * then takes the next one that is free. Any other finds it taken only when somebody has occupied the name, and draws another.
 * @throws KubeError, AlreadyExists when there is none; and what `draw` throws
 */
export async function createAtAnyPlace(
  phaseRuns: Pick<PhaseRunWriter, 'create'>,
  store: AcceptedStore,
  { deadline, draw }: { readonly deadline: Deadline; readonly draw: () => Promise<number> },
): Promise<PhaseRunName> {
  let placed = store;
  for (let left = NEW_PLACES; ; left -= 1) {
    try {
      return await createInPlace(phaseRuns, placed, deadline);
    } catch (error) {
      if (!isTaken(error) || store.orderBelow !== undefined || left === 0) throw error;
      placed = { ...store, order: await draw() };
    }
  }
}

/**
 * Creates the PhaseRun of a store at its place, or behind it as far as `orderBelow` allows.
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
