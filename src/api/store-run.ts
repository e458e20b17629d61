import type { CommittedRun } from '../domain/run.ts';
import type { StoreRequest } from '../domain/store-request.ts';
import { createAtAnyPlace } from '../kube/create-in-place.ts';
import { type Deadline, deadlineIn } from '../kube/deadline.ts';
import type { PhaseRunWriter } from '../kube/phase-run-writer.ts';
import { type AcceptedStore, draftPhaseRun, isInline } from '../resources/phase-run-draft.ts';
import { saysAlready } from '../resources/phase-run-move.ts';
import type { StoreAdmission } from '../store/admission.ts';
import { listCommittedRuns } from '../store/committed-runs.ts';
import type { CommittedRunsListener } from '../store/committed-runs-listener.ts';
import type { Database } from '../store/database.ts';
import { putPayload } from '../store/payloads.ts';
import type { Caller } from '../store/principal.ts';
import { drawRunOrder } from '../store/slots.ts';
import type { AdmittedStore, InNamespace, UnplacedStore } from './admit-run.ts';
import { DatabaseAwayError } from './database-gate.ts';
import { resultWithin } from './deadline.ts';
import { packedBytes } from './pack-payload.ts';
import type { Outage } from './plugins/outage.ts';
import { type StoredRun, settleRun, storedAs } from './store-settle.ts';
import { chooseTarget, type StoreTarget } from './store-target.ts';
import { type StageDependencies, timed } from './store-stage.ts';
import { runConflict, storeWithoutDatabase, withPayload } from './store-without-database.ts';

export interface StoreRunDependencies extends StageDependencies {
  readonly database: Pick<Database, 'pool'>;
  readonly committedRuns: Pick<CommittedRunsListener, 'waitFor'>;
  readonly phaseRuns: PhaseRunWriter;
  /** The Kubernetes namespace that a customer's runs are created in; undefined while the namespaces are not known. */
  readonly namespaceOf: (customerId: string) => string | undefined;
  /** What goes on while the database is away. */
  readonly outage: Outage;
}

/** A request that was read, and who sent it. */
export interface StoreCall {
  readonly request: StoreRequest;
  readonly caller: Caller;
  readonly traceparent: string;
  /** RFC 3339: when it was stored elsewhere, if it was; see `storedAtOf`. */
  readonly storedAt?: string | undefined;
}

/** For what the database is asked beside. One that is out of reach says so at once; this is for one that hangs. */
const ASK_MS = 3_000;
/** For payload and PhaseRun to be written, tries included. */
const WRITE_MS = 4_000;
/** A runner waits no longer for its row than this, counted from before the PhaseRun is written. */
const WAIT_MS = 5_000;
/** For a last look at the rows when that time is up. */
const LATE_MS = 500;

type Admitted = InNamespace<AdmittedStore>;

/** A store that was let in, and whose PhaseRun has somewhere to go. */
export type PlaceableStore = Admitted | InNamespace<UnplacedStore>;

type NamedTarget = Exclude<StoreTarget, { kind: 'create' }>;

/**
 * Stores a result that was let in: writes the PhaseRun, and waits for its row. Once the PhaseRun is written the
 * result is kept, whatever becomes of this process or of the caller's connection. The same store again, with the same id
 * and place, ends in the same run.
 * @throws ProblemError, DatabaseError or KubeError when the result is not acknowledged
 */
export async function storeRun(deps: StoreRunDependencies, store: PlaceableStore): Promise<StoredRun> {
  if (store.admission === undefined) return storeWithoutDatabase(deps, store);
  const stored = store.isRetry ? await findStored(deps, store) : undefined;
  if (stored !== undefined) return stored;
  const deadline = deadlineIn(WRITE_MS);
  const target = await chooseTarget(deps.phaseRuns, store, store.admission, deadline);
  if (target.kind === 'repeat') return repeatRun(deps, store, target);
  const kept = await keepPayload(deps, store);
  const run = await writeRun(deps, kept, target);
  if (!run.persisted) deps.outage.backlog.noteTrouble();
  return run;
}

/** Keeps a payload that is too large for a PhaseRun where its reference will find it; else the PhaseRun has to carry it. */
async function keepPayload(deps: StoreRunDependencies, store: Admitted): Promise<Admitted> {
  const { customerId, digest, request } = store;
  if (isInline(digest)) return store;
  const { phase, data } = request;
  try {
    await timed(deps, 'payload', store, () =>
      deps.outage.gate.ask(WRITE_MS, () =>
        putPayload(deps.database.pool, { customerId, phase, data, digest }),
      ),
    );
    return store;
  } catch (error) {
    if (!(error instanceof DatabaseAwayError)) throw error;
    return withPayload(deps, store);
  }
}

/** Writes the PhaseRun, when there is room for what it carries. */
async function writeRun(
  deps: StoreRunDependencies,
  store: Admitted,
  target: StoreTarget,
): Promise<StoredRun> {
  const deadline = deadlineIn(WRITE_MS);
  const { backlog, gate } = deps.outage;
  const reservation = { runId: store.runId, bytes: packedBytes(store) };
  if (gate.isAway) await backlog.reserve(reservation);
  else backlog.reserveIfCounting(reservation);
  try {
    if (target.kind === 'create') return await createRun(deps, store, deadline);
    return await moveRun(deps, store, target, deadline);
  } catch (error) {
    backlog.release(reservation);
    throw error;
  }
}

/** What an earlier try has brought as far as its row, whatever came after it. */
async function findStored(
  { database, outage }: StoreRunDependencies,
  store: AcceptedStore,
): Promise<StoredRun | undefined> {
  const [row] = await outage.gate.ask(ASK_MS, () => listCommittedRuns(database.pool, [store.runId]));
  return row?.executionId === undefined ? undefined : storedAs(row, draftPhaseRun(store).metadata);
}

async function createRun(
  deps: StoreRunDependencies,
  store: AcceptedStore,
  deadline: Deadline,
): Promise<StoredRun> {
  const row = waitForRow(deps, store);
  const draw = () => deps.outage.gate.ask(ASK_MS, () => drawRunOrder(deps.database.pool));
  const phaseRun = await row.unlessFails(
    timed(deps, 'create', store, () => createAtAnyPlace(deps.phaseRuns, store, { deadline, draw })),
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
    timed(deps, 'create', store, () => deps.phaseRuns.moveForward(phaseRun, moving, deadline)),
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
  { admission, digest, request }: Admitted,
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

/** Listens from now on, so that a row which is there before its PhaseRun is answered for is not missed. */
function waitForRow(deps: StoreRunDependencies, { runId, digest, request, traceparent }: AcceptedStore) {
  const { committedRuns, outage } = deps;
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
    committed: (): Promise<CommittedRun | undefined> => {
      // Without a database there is no row to wait for.
      if (outage.gate.isAway) stopping.abort();
      // One that hangs may keep the listener past its time.
      return timed(deps, 'wait', { traceparent }, () => resultWithin(WAIT_MS + LATE_MS, heard));
    },
  };
}
