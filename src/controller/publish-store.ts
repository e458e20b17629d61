import { isFinished } from '../domain/phase.ts';
import { slotLabel } from '../domain/slot.ts';
import { createInPlace } from '../kube/create-in-place.ts';
import { type Deadline, deadlineIn } from '../kube/deadline.ts';
import type { PhaseRunName, PhaseRunWriter } from '../kube/phase-run-writer.ts';
import { SLOT_LABEL } from '../resources/annotations.ts';
import type { AcceptedStore } from '../resources/phase-run-draft.ts';
import { saysAlready } from '../resources/phase-run-move.ts';
import { listCommittedRuns } from '../store/committed-runs.ts';
import type { Connection } from '../store/database.ts';
import { type ClaimedInboxRun, isRunOfSlot } from '../store/inbox-claims.ts';

export interface PublishDependencies {
  readonly pool: Connection;
  readonly phaseRuns: PhaseRunWriter;
}

/** Shorter than the lease of a claim, by far. */
const WRITE_MS = 10_000;
/** Orders of the sequence are this far apart. */
const GAP = 1_024;

/**
 * Makes of a store in the inbox what the API would have made of it, whatever an earlier attempt has done already. It was
 * acknowledged, so where the API would refuse to move a run forward, the store becomes a run of its own; which may be a row
 * already (`isRow`), and have outlived its PhaseRun.
 * @throws KubeError, DatabaseError when it is not published
 */
export async function publishStore(
  deps: PublishDependencies,
  claim: ClaimedInboxRun,
  { namespace, isRow }: { readonly namespace: string; readonly isRow: boolean },
): Promise<void> {
  const deadline = deadlineIn(WRITE_MS);
  const store = acceptedOf(claim, namespace);
  const isOwn = claim.runId === claim.storeId;
  const became = isOwn ? 'none' : await moveForward(deps, claim, store, deadline);
  if (became === 'moved') return;
  if (became === 'gone') {
    await createInPlace(deps.phaseRuns, store, deadline);
    return;
  }
  if (!isRow) await createInPlace(deps.phaseRuns, { ...store, runId: claim.storeId }, deadline);
}

/** `gone`: there is such a run and no PhaseRun of it; `none`: no run is there to be moved. */
async function moveForward(
  deps: PublishDependencies,
  claim: ClaimedInboxRun,
  store: AcceptedStore,
  deadline: Deadline,
): Promise<'moved' | 'gone' | 'none'> {
  const { phaseRuns, pool } = deps;
  const target = await findTarget(deps, claim, store, deadline);
  const moved =
    target === undefined
      ? ({ outcome: 'gone' } as const)
      : await phaseRuns.moveForward(target, store, deadline);
  if (moved.outcome === 'moved') return 'moved';
  if (moved.outcome === 'ended') return saysAlready(moved.phaseRun, store) ? 'moved' : 'none';
  if (!claim.isRunSeen && !(await isRunOfSlot(pool, claim))) return 'none';
  const [row] = await listCommittedRuns(pool, [store.runId]);
  if (row?.status !== undefined && isFinished(row.status)) {
    const isSame = row.status === store.request.status && row.sha256 === store.digest.sha256;
    return isSame ? 'moved' : 'none';
  }
  return 'gone';
}

async function findTarget(
  { phaseRuns }: PublishDependencies,
  { phaseRunName, customerId, slot }: ClaimedInboxRun,
  { namespace, request, runId }: AcceptedStore,
  deadline: Deadline,
): Promise<PhaseRunName | undefined> {
  if (phaseRunName !== undefined) return { namespace, name: phaseRunName };
  const labelSelector = `${SLOT_LABEL}=${slotLabel(slot)}`;
  const found = await phaseRuns.find(namespace, { labelSelector, runId }, deadline);
  const isSame = found?.spec.phase === request.phase && found.spec.customerId === customerId;
  return isSame ? found.metadata : undefined;
}

/** A place that is taken by another run has room behind it, before whatever came later. */
function acceptedOf(claim: ClaimedInboxRun, namespace: string): AcceptedStore {
  const { request, digest, customerId, apiKeyId, runId, order, traceparent } = claim;
  const orderBelow = claim.orderBelow ?? (Math.floor(order / GAP) + 1) * GAP;
  return {
    request,
    digest,
    customerId,
    ...(apiKeyId !== undefined && { apiKeyId }),
    runId,
    order,
    orderBelow,
    namespace,
    traceparent,
  };
}
