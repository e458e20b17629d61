import { randomUUIDv7 } from 'node:crypto';
import { type Digest, digestOf } from '../domain/digest.ts';
import type { CommittedRun } from '../domain/run.ts';
import type { StoreRequest } from '../domain/store-request.ts';
import { createInPlace } from '../kube/create-in-place.ts';
import { type Deadline, deadlineIn } from '../kube/deadline.ts';
import type { PhaseRunWriter } from '../kube/phase-run-writer.ts';
import { type AcceptedStore, draftPhaseRun, isInline } from '../resources/phase-run-draft.ts';
import { saysAlready } from '../resources/phase-run-move.ts';
import { admitStore, type StoreAdmission } from '../store/admission.ts';
import { listCommittedRuns } from '../store/committed-runs.ts';
import type { CommittedRunsListener } from '../store/committed-runs-listener.ts';
import type { Database } from '../store/database.ts';
import { findLatePlace } from '../store/late-place.ts';
import { putPayload } from '../store/payloads.ts';
import type { Caller } from '../store/principal.ts';
import type { StoreStage } from '../telemetry/families/store.ts';
import type { Metrics } from '../telemetry/metrics.ts';
import { authoriseRepository } from './authorise.ts';
import { resultWithin } from './deadline.ts';
import { ProblemError } from './problem.ts';
import { type StoredRun, settleRun, storedAs } from './store-settle.ts';
import { chooseTarget, type StoreTarget } from './store-target.ts';
import { databaseUnavailable } from './upstream-fault.ts';

export interface StoreRunDependencies {
  readonly database: Pick<Database, 'pool'>;
  readonly committedRuns: Pick<CommittedRunsListener, 'waitFor'>;
  readonly phaseRuns: PhaseRunWriter;
  /** The Kubernetes namespace that a customer's runs are created in. */
  readonly namespaceOf: (customerId: string) => string;
  readonly metrics: Pick<Metrics, 'store'>;
}

/** A request that was read, and who sent it. */
export interface StoreCall {
  readonly request: StoreRequest;
  readonly caller: Caller;
  readonly traceparent: string;
  /** RFC 3339: when it was stored elsewhere, if it was; see `storedAtOf`. */
  readonly storedAt?: string | undefined;
}

/** For the database to admit the store. One that is out of reach says so at once; this is for one that hangs. */
const ADMIT_MS = 3_000;
/** For payload and PhaseRun to be written, tries included. */
const WRITE_MS = 4_000;
/** A runner waits no longer for its row than this, counted from before the PhaseRun is written. */
const WAIT_MS = 5_000;
/** For a last look at the rows when that time is up. */
const LATE_MS = 500;

type NamedTarget = Exclude<StoreTarget, { kind: 'create' }>;

/** A store whose caller may, with its place in its slot. */
export interface AdmittedStore extends AcceptedStore {
  readonly digest: Digest;
  readonly admission: StoreAdmission;
  /** Whether an earlier try with the same id and place may have stored it. */
  readonly isRetry?: boolean;
}

/**
 * Lets a store in.
 * @throws ProblemError or DatabaseError when it may not be, or cannot be decided
 */
export async function admitRun(deps: StoreRunDependencies, call: StoreCall): Promise<AdmittedStore> {
  return placeInTime(deps, await admit(deps, call), call);
}

/**
 * Stores a result that was let in: writes the PhaseRun, and waits for its row. Once the PhaseRun is written the
 * result is kept, whatever becomes of this process or of the caller's connection. The same store again, with the same id
 * and place, ends in the same run.
 * @throws ProblemError, DatabaseError or KubeError when the result is not acknowledged
 */
export async function storeRun(deps: StoreRunDependencies, store: AdmittedStore): Promise<StoredRun> {
  const stored = store.isRetry ? await findStored(deps, store) : undefined;
  if (stored !== undefined) return stored;
  const deadline = deadlineIn(WRITE_MS);
  const target = await chooseTarget(deps.phaseRuns, store, store.admission, deadline);
  if (target.kind === 'repeat') return repeatRun(deps, store, target);
  await keepPayload(deps, store, deadline);
  return target.kind === 'create' ? createRun(deps, store, deadline) : moveRun(deps, store, target, deadline);
}

async function admit(
  deps: StoreRunDependencies,
  { request, caller, traceparent }: StoreCall,
): Promise<AdmittedStore> {
  const admission = await timed(deps, 'auth', () =>
    resultWithin(ADMIT_MS, admitStore(deps.database.pool, caller, request)),
  );
  if (admission === undefined) throw databaseUnavailable();
  const { repository } = request;
  const customerId = authoriseRepository(
    admission,
    { caller, scope: 'phases:write', repository },
    deps.metrics,
  );
  if (admission.order === null) throw new Error('a store was admitted without an order');
  return {
    admission,
    request,
    digest: digestOf(request.data),
    customerId,
    ...(caller.kind === 'key' && { apiKeyId: caller.keyId }),
    runId: randomUUIDv7(),
    order: admission.order,
    namespace: deps.namespaceOf(customerId),
    traceparent,
  };
}

/** Puts what comes late behind what it followed, and before what has arrived since. */
async function placeInTime(
  { database }: StoreRunDependencies,
  store: AdmittedStore,
  { storedAt }: Pick<StoreCall, 'storedAt'>,
): Promise<AdmittedStore> {
  if (storedAt === undefined) return store;
  const { customerId, request } = store;
  const finding = findLatePlace(database.pool, { ...request, customerId, storedAt });
  const place = await resultWithin(ADMIT_MS, finding);
  if (place === undefined) throw databaseUnavailable();
  return { ...store, order: place.order, orderBelow: place.below };
}

/** Puts a payload that is too large for a PhaseRun where the PhaseRun's reference will find it. */
async function keepPayload(
  { database }: StoreRunDependencies,
  { customerId, digest }: AdmittedStore,
  deadline: Deadline,
): Promise<void> {
  if (isInline(digest)) return;
  const { sha256, sizeBytes, canonical } = digest;
  const putting = putPayload(database.pool, { customerId, sha256, sizeBytes, json: canonical });
  const kept = await resultWithin(
    deadline.remainingMs(),
    putting.then(() => true),
  );
  if (kept === undefined) throw databaseUnavailable();
}

/** What an earlier try has brought as far as its row, whatever came after it. */
async function findStored(
  { database }: StoreRunDependencies,
  store: AcceptedStore,
): Promise<StoredRun | undefined> {
  const reading = listCommittedRuns(database.pool, [store.runId]);
  const rows = await resultWithin(ADMIT_MS, reading);
  if (rows === undefined) throw databaseUnavailable();
  const [row] = rows;
  return row?.executionId === undefined ? undefined : storedAs(row, draftPhaseRun(store).metadata);
}

async function createRun(
  deps: StoreRunDependencies,
  store: AcceptedStore,
  deadline: Deadline,
): Promise<StoredRun> {
  const row = waitForRow(deps, store);
  const phaseRun = await row.unlessFails(
    timed(deps, 'create', () => createInPlace(deps.phaseRuns, store, deadline)),
  );
  return settleRun(deps.phaseRuns, store, phaseRun, await row.committed());
}

/** Moves the run that `target` names forward. One that has ended meanwhile stays as it is, and this becomes a run of its own. */
async function moveRun(
  deps: StoreRunDependencies,
  store: AcceptedStore,
  { runId, phaseRun, named }: NamedTarget,
  deadline: Deadline,
): Promise<StoredRun> {
  const moving = { ...store, runId };
  const row = waitForRow(deps, moving);
  const moved = await row.unlessFails(
    timed(deps, 'create', () => deps.phaseRuns.moveForward(phaseRun, moving, deadline)),
  );
  const isSame = moved.outcome === 'ended' && saysAlready(moved.phaseRun, store);
  if (moved.outcome === 'moved' || isSame) {
    return settleRun(deps.phaseRuns, moving, phaseRun, await row.committed());
  }
  row.stop();
  // Its TTL took the PhaseRun away, or somebody deleted it: the row is moved forward by another of the same run.
  if (moved.outcome === 'gone') return createRun(deps, moving, deadline);
  if (named) throw runConflict();
  return createRun(deps, store, deadline);
}

/** Answers for a run that has ended: the same result is there already, another one is refused. */
async function repeatRun(
  { database }: StoreRunDependencies,
  { admission, digest, request }: AdmittedStore,
  { runId, phaseRun }: NamedTarget,
): Promise<StoredRun> {
  const [row] = await listCommittedRuns(database.pool, [runId]);
  const isSame = row?.sha256 === digest.sha256 && saysTheSame(admission.running, request);
  if (row === undefined || !isSame) throw runConflict();
  return storedAs(row, phaseRun);
}

/** Whether a row that has ended already says what the request says beside its payload; what it leaves out is not said. */
function saysTheSame(row: StoreAdmission['running'], { status, commitSha, branch }: StoreRequest): boolean {
  if (row === null || row.status !== status) return false;
  return (commitSha ?? row.commitSha) === row.commitSha && (branch ?? row.branch) === row.branch;
}

function runConflict(): ProblemError {
  return new ProblemError(
    'RUN_CONFLICT',
    'runId names a run that has ended with another result; store without runId',
  );
}

/** Listens from now on, so that a row which is there before its PhaseRun is answered for is not missed. */
function waitForRow(
  { committedRuns, metrics }: StoreRunDependencies,
  { runId, digest, request }: AcceptedStore,
) {
  const stopping = new AbortController();
  const { signal } = stopping;
  const { sha256 } = digest;
  const { status } = request;
  const heard = committedRuns.waitFor(runId, { sha256, status, timeoutMs: WAIT_MS, signal });
  return {
    stop: () => stopping.abort(),
    async unlessFails<T>(write: Promise<T>): Promise<T> {
      try {
        return await write;
      } catch (error) {
        stopping.abort();
        throw error;
      }
    },
    // A database that hangs may keep the listener past its time.
    committed: (): Promise<CommittedRun | undefined> =>
      timed({ metrics }, 'wait', () => resultWithin(WAIT_MS + LATE_MS, heard)),
  };
}

async function timed<T>(
  { metrics }: Pick<StoreRunDependencies, 'metrics'>,
  stage: StoreStage,
  work: () => Promise<T>,
): Promise<T> {
  const startedAt = performance.now();
  try {
    return await work();
  } finally {
    metrics.store.stage.observe({ stage }, (performance.now() - startedAt) / 1000);
  }
}
