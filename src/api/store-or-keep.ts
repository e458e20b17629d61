import { isFinished } from '../domain/phase.ts';
import { isUnavailable } from '../kube/retry.ts';
import { isInline } from '../resources/phase-run-draft.ts';
import type { StoreAdmission } from '../store/admission.ts';
import { type InboxLimits, type InboxStore, putInboxRun } from '../store/inbox.ts';
import { putPayload } from '../store/payloads.ts';
import type { Metrics } from '../telemetry/metrics.ts';
import { traced } from '../telemetry/tracer.ts';
import type { AdmittedStore, InNamespace, LetIn } from './admit-run.ts';
import { resultWithin } from './deadline.ts';
import { type StoreRunDependencies, storeRun } from './store-run.ts';
import { type StoredRun, storedAs } from './store-settle.ts';
import { runNotFound } from './store-target.ts';
import { runConflict } from './store-without-database.ts';
import { inboxFull, kubernetesUnavailable } from './upstream-fault.ts';

export interface StoreDependencies extends StoreRunDependencies {
  readonly inbox: InboxLimits;
  readonly metrics: Pick<Metrics, 'store' | 'inbox'>;
}

/** For the row of a store behind others; it was kept before, so that its runner waits no longer than elsewhere. */
const WAIT_MS = 4_500;
/** For a last look at the rows when that time is up. */
const LATE_MS = 500;
/** For each of the statements. */
const STATEMENT_MS = 3_000;

/**
 * Stores a result that was let in; in the inbox when Kubernetes cannot take it, or while others of its slot wait there. From
 * then on it is kept, as it is once its PhaseRun is written.
 * @throws ProblemError, DatabaseError or KubeError when the result is not acknowledged
 */
export async function storeOrKeep(deps: StoreDependencies, store: LetIn): Promise<StoredRun> {
  const { namespace } = store;
  if (store.admission === undefined) {
    if (namespace === undefined) throw kubernetesUnavailable();
    return storeRun(deps, { ...store, namespace });
  }
  const { running, inbox } = store.admission;
  if (running !== null && isRepeat(store.admission))
    return storeRun(deps, { ...store, namespace: running.phaseRunNamespace });
  if (namespace === undefined) return keep(deps, store);
  if (inbox.isSlotWaiting) return keepBehind(deps, { ...store, namespace });
  try {
    return await storeRun(deps, { ...store, namespace });
  } catch (error) {
    if (!isUnavailable(error)) throw error;
    return keep(deps, store);
  }
}

/**
 * Keeps a store behind others of its slot. Once Kubernetes is back they are on their way, and this one is waited for like any
 * other: were it answered at once, runners would fill the inbox faster than it empties.
 */
async function keepBehind(deps: StoreDependencies, store: InNamespace<AdmittedStore>): Promise<StoredRun> {
  const { namespace, runId, request, digest } = store;
  const kept = await keep(deps, store);
  if (await deps.phaseRuns.isAway({ namespace, name: runId })) return kept;
  const { status } = request;
  const wanted = { sha256: digest.sha256, status, timeoutMs: WAIT_MS };
  const row = await resultWithin(WAIT_MS + LATE_MS, deps.committedRuns.waitFor(kept.id, wanted));
  const isRefused = row?.disposition === 'rejected' || row?.disposition === 'quarantined';
  return row === undefined || isRefused ? kept : storedAs(row, undefined);
}

/** Whether nothing is going to be written: the run that is named has ended, as a row. */
function isRepeat({ running, inbox }: StoreAdmission): boolean {
  return inbox.run === null && running !== null && isFinished(running.status);
}

async function keep(deps: StoreDependencies, store: AdmittedStore): Promise<StoredRun> {
  const { admission, request, digest } = store;
  const waiting = admission.inbox.run;
  if (waiting !== null && isFinished(waiting.status)) return repeat(waiting, store);
  await keepPayload(deps, store);
  const { customerId, order, orderBelow, apiKeyId, traceparent } = store;
  const kept = await traced(deps.tracer, 'store inbox', { parent: traceparent }, () =>
    deps.outage.gate.ask(STATEMENT_MS, () =>
      putInboxRun(
        deps.database.pool,
        {
          storeId: store.runId,
          ...targetOf(store),
          customerId,
          request: isInline(digest) ? request : { ...request, data: {} },
          digest,
          order,
          orderBelow,
          apiKeyId,
          traceparent,
        },
        deps.inbox,
      ),
    ),
  );
  if (kept === null) {
    deps.metrics.inbox.full.inc();
    throw inboxFull();
  }
  return waitingAs(kept.runId);
}

/**
 * The run that is written. One that the caller names and nobody has seen may be a PhaseRun that is not archived: whoever
 * publishes it will see.
 * @throws ProblemError 422 when the caller names a run that is another's
 */
function targetOf({
  admission,
  request,
  runId,
  namespace,
}: AdmittedStore): Pick<InboxStore, 'runId' | 'namespace' | 'phaseRunName' | 'isRunSeen'> {
  const { running, inbox, runIdStatus } = admission;
  if (inbox.run !== null) return { runId: inbox.run.runId, namespace, isRunSeen: true };
  if (running !== null) {
    const { phaseRunNamespace, phaseRunName } = running;
    return { runId: running.runId, namespace: phaseRunNamespace, phaseRunName, isRunSeen: true };
  }
  if (runIdStatus === 'taken') throw runNotFound();
  return { runId: request.runId ?? runId, namespace, isRunSeen: false };
}

/** Answers for a run that has ended in the inbox: the same result waits there already, another one is refused. */
function repeat(
  waiting: NonNullable<StoreAdmission['inbox']['run']>,
  { request, digest }: AdmittedStore,
): StoredRun {
  const { commitSha = waiting.commitSha, branch = waiting.branch, status } = request;
  const isSame =
    waiting.sha256 === digest.sha256 &&
    waiting.status === status &&
    waiting.commitSha === commitSha &&
    waiting.branch === branch;
  if (isSame) return waitingAs(waiting.runId);
  throw runConflict();
}

async function keepPayload(
  { database, outage }: StoreDependencies,
  { customerId, digest, request }: AdmittedStore,
): Promise<void> {
  if (isInline(digest)) return;
  const { phase, data } = request;
  const payload = { customerId, phase, data, digest };
  await outage.gate.ask(STATEMENT_MS, () => putPayload(database.pool, payload));
}

function waitingAs(id: string): StoredRun {
  return { id, persisted: false, phaseRun: undefined, session: undefined };
}
