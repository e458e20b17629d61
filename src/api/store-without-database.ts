import { orderWithoutSequence } from '../domain/order-without-sequence.ts';
import type { Digest } from '../domain/digest.ts';
import { slotLabel, slotOf } from '../domain/slot.ts';
import type { StoreRequest } from '../domain/store-request.ts';
import { hasStatus } from '../kube/kube-error.ts';
import { SLOT_LABEL } from '../resources/annotations.ts';
import type { PhaseRun } from '../resources/phase-run.ts';
import type { InNamespace, UnplacedStore } from './admit-run.ts';
import { type Deadline, deadlineIn } from '../kube/deadline.ts';
import { packedBytes, packPayload, PayloadDoesNotFitError } from './pack-payload.ts';
import { type AcceptedStore, draftPhaseRun } from '../resources/phase-run-draft.ts';
import type { PhaseRunName } from '../kube/phase-run-writer.ts';
import { ProblemError } from './problem.ts';
import type { StoreRunDependencies } from './store-run.ts';
import { type StoredRun, settleRun } from './store-settle.ts';
import { databaseUnavailable } from './upstream-fault.ts';
import { saysAlready } from '../resources/phase-run-move.ts';

type Dependencies = Pick<StoreRunDependencies, 'phaseRuns' | 'outage' | 'metrics'>;

/** For the PhaseRun to be written, tries and lost races included. */
const WRITE_MS = 4_000;
/** Each race for a place that is lost was won by another store into the slot. */
const RACES = 16;

/**
 * Stores a result while the database is away: in a PhaseRun that carries its payload itself, at a place of its slot that is
 * found among the PhaseRuns there. The same run id again is the same run.
 * @throws ProblemError 503 when that cannot be, 409 when it names a run that has ended otherwise; KubeError
 */
export async function storeWithoutDatabase(
  deps: Dependencies,
  store: InNamespace<UnplacedStore>,
): Promise<StoredRun> {
  const deadline = deadlineIn(WRITE_MS);
  const { namespace, request, runId } = store;
  const slot = `${SLOT_LABEL}=${slotLabel(slotOf(request))}`;
  // Asked first, so that when the cluster is away as well that is said at once.
  let runs = await deps.phaseRuns.list(namespace, slot, deadline);
  const packed = await withPayload(deps, store);
  const reservation = { runId, bytes: packedBytes(packed) };
  for (let race = 0; race < RACES; race += 1) {
    const earlier = ownRuns(runs, store).find(({ spec }) => spec.runId === runId);
    if (earlier !== undefined) return settleRun(deps.phaseRuns, store, earlier.metadata, undefined);
    await deps.outage.backlog.reserve(reservation);
    const written = await write(deps, packed, runs, deadline).catch((error: unknown) => {
      deps.outage.backlog.release(reservation);
      throw error;
    });
    if (written !== undefined) {
      deps.metrics.store.withoutDatabase.inc();
      return { id: written.runId, persisted: false, phaseRun: written.phaseRun, session: undefined };
    }
    runs = await deps.phaseRuns.list(namespace, slot, deadline);
  }
  throw noPlace(deps, 'too many others store into this slot at once');
}

/**
 * The store with its payload as the PhaseRun will carry it.
 * @throws ProblemError 503 when it is too large
 */
export async function withPayload<Store extends { readonly digest: Digest }>(
  { metrics }: Pick<Dependencies, 'metrics'>,
  store: Store,
): Promise<Store & Pick<AcceptedStore, 'dataGzip'>> {
  try {
    return await packPayload(store);
  } catch (error) {
    if (!(error instanceof PayloadDoesNotFitError)) throw error;
    metrics.store.refusedWithoutDatabase.inc({ reason: 'payload' });
    throw databaseUnavailable(error, error.message);
  }
}

interface Written {
  readonly runId: string;
  readonly phaseRun: PhaseRunName;
}

/** Tries once, given the slot as it was; undefined when it has changed meanwhile. */
function write(
  deps: Dependencies,
  store: InNamespace<UnplacedStore>,
  runs: readonly PhaseRun[],
  deadline: Deadline,
): Promise<Written | undefined> {
  const target = targetAmong(ownRuns(runs, store), store.request);
  const place = orderWithoutSequence(
    deps.outage.mark.value,
    runs.flatMap(placesOf),
    target === undefined ? 'create' : 'move',
  );
  if (place === undefined) throw noPlace(deps, 'this slot has no place left that is ordered without it');
  const placed: AcceptedStore = { ...store, order: place };
  return target === undefined ? create(deps, placed, deadline) : move(deps, placed, target, deadline);
}

async function create(
  { phaseRuns }: Dependencies,
  store: AcceptedStore,
  deadline: Deadline,
): Promise<Written | undefined> {
  const draft = draftPhaseRun(store);
  try {
    await phaseRuns.create(draft, deadline);
    return { runId: store.runId, phaseRun: draft.metadata };
  } catch (error) {
    if (hasStatus(error, 409) && error.reason === 'AlreadyExists') return undefined;
    throw error;
  }
}

async function move(
  { phaseRuns }: Dependencies,
  store: AcceptedStore,
  { metadata, spec }: PhaseRun,
  deadline: Deadline,
): Promise<Written | undefined> {
  const { runId = '' } = spec;
  const written = { runId, phaseRun: { namespace: metadata.namespace, name: metadata.name } };
  const moved = await phaseRuns.moveForward(metadata, { ...store, runId }, deadline);
  const isEnded = moved.outcome === 'ended';
  if (moved.outcome === 'moved' || (isEnded && saysAlready(moved.phaseRun, store))) return written;
  if (isEnded && store.request.runId !== undefined) throw runConflict();
  return undefined;
}

/**
 * The run to move forward: the one that the request names, else the newest running one of its pipeline run and commit.
 * @throws ProblemError 503 when it names one that is not there, whose row cannot be asked for
 */
function targetAmong(runs: readonly PhaseRun[], request: StoreRequest): PhaseRun | undefined {
  const { phase, runId, pipelineRunId, commitSha } = request;
  const ofPhase = runs.filter(({ spec }) => spec.phase === phase && spec.runId !== undefined);
  if (runId !== undefined) {
    const named = ofPhase.find(({ spec }) => spec.runId === runId.toLowerCase());
    if (named === undefined) throw databaseUnavailable();
    return named;
  }
  return ofPhase
    .filter(
      ({ spec }) =>
        spec.result.status === 'running' &&
        pipelineRunId !== undefined &&
        spec.pipelineRunId === pipelineRunId &&
        spec.commitSha === commitSha,
    )
    .toSorted((a, b) => Math.max(...placesOf(b)) - Math.max(...placesOf(a)))[0];
}

function ownRuns(runs: readonly PhaseRun[], { customerId }: UnplacedStore): readonly PhaseRun[] {
  return runs.filter(({ spec }) => spec.customerId === customerId);
}

/** Its name's place is taken as well as the one that it was moved to. */
function placesOf({ spec }: PhaseRun): readonly number[] {
  return [spec.order ?? 0, spec.result.order ?? 0];
}

function noPlace({ metrics }: Dependencies, reason: string): ProblemError {
  metrics.store.refusedWithoutDatabase.inc({ reason: 'place' });
  return databaseUnavailable(undefined, `The database cannot be reached, and ${reason}; try again later`);
}

export function runConflict(): ProblemError {
  return new ProblemError(
    'RUN_CONFLICT',
    'runId names a run that has ended with another result; store without runId',
  );
}
