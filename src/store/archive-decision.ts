import { isFinished, isForward } from '../domain/phase.ts';
import type { ArchivableRun, RejectedRun } from '../domain/run.ts';
import {
  isTerminal,
  pathTo,
  planSession,
  type SessionOutcome,
  type SessionTransition,
} from '../domain/session.ts';
import type { ArchiveState, SessionRow } from './archive-state.ts';

/** What is to be done with a run, given the rows as they are. */
export type ArchiveDecision = RejectedRun | FoundDecision | WriteDecision;

/** No row is to be written: the result is there, or is not to be. */
export interface FoundDecision {
  readonly disposition: 'unchanged' | 'duplicate' | 'deleted' | 'purged';
  readonly executionId: string;
  readonly committedAt: string;
  /** Place of the row that holds the result. */
  readonly order?: number;
  readonly session: SessionRow | null;
  /** Whether that is yet to be noted. */
  readonly isNew: boolean;
}

export interface WriteDecision {
  readonly disposition: 'inserted' | 'updated';
  /** Absent: the next of the sequence. */
  readonly order?: number;
  readonly dataFrom: 'run' | 'payload' | 'row';
  /** Absent: the row has none, since its session was deleted. */
  readonly session?: SessionStep;
}

/** How a run takes part in its session. */
export interface SessionStep {
  /** Absent: a new one. */
  readonly joined?: SessionRow;
  /** Empty: it stays as it is. */
  readonly path: readonly SessionTransition[];
  readonly outcome?: SessionOutcome;
}

/**
 * Decides what becomes of a run. What it was before comes first: its own row, then what it was found to repeat, then
 * the tombstones; only a run that is new to us may turn out to repeat its neighbour.
 */
export function decideArchive(run: ArchivableRun, state: ArchiveState): ArchiveDecision {
  const { own, alias } = state;
  if (own?.mine === false || alias?.mine === false)
    return reject('RunIdTaken', 'spec.runId is the id of another run');
  if (own !== null) return decideOwn(run, state, own);
  if (alias?.equal === true) return { disposition: 'duplicate', ...located(alias), isNew: false };
  return decideTombstone(run, state) ?? decideNew(run, state);
}

function decideOwn(
  run: ArchivableRun,
  state: ArchiveState,
  own: NonNullable<ArchiveState['own']>,
): ArchiveDecision {
  if (own.equal)
    return { disposition: 'unchanged', ...located({ ...own, executionId: run.runId }), isNew: false };
  if (isFinished(own.status) || !isForward(own.status, run.status))
    return reject('StatusMovedBackward', `this run is ${own.status} and cannot be changed to ${run.status}`);
  const dataFrom = isOfRow(run, own) ? 'row' : sourceOf(run, state);
  if (dataFrom === undefined) return payloadMissing(run);
  const order = orderOfMove(run, own);
  const step = own.session === null ? undefined : takePart(run, own.session, order);
  return {
    disposition: 'updated',
    dataFrom,
    ...(order !== undefined && { order }),
    ...(step !== undefined && { session: step }),
  };
}

/** A run that moves forward is the newer one from then on; one that only says more keeps its place. */
function orderOfMove(run: ArchivableRun, own: NonNullable<ArchiveState['own']>): number | undefined {
  if (run.order !== undefined) return Math.max(run.order, own.order);
  return run.status === own.status ? own.order : undefined;
}

/** Where a run belongs that is no row yet, or no more. */
export function placeOf({ order, formerOrder }: ArchivableRun): number | undefined {
  return order ?? formerOrder;
}

function decideTombstone(run: ArchivableRun, state: ArchiveState): FoundDecision | undefined {
  const { runTombstone, slotTombstone } = state;
  const found = { executionId: run.runId, session: null };
  if (runTombstone !== null)
    return { disposition: runTombstone.reason, ...found, committedAt: runTombstone.createdAt, isNew: false };
  const place = placeOf(run);
  if (slotTombstone !== null && place !== undefined && place <= slotTombstone.upToOrder)
    return { disposition: 'deleted', ...found, committedAt: slotTombstone.createdAt, isNew: true };
  return undefined;
}

function decideNew(run: ArchivableRun, state: ArchiveState): ArchiveDecision {
  const repeated = [state.before, state.after].find((neighbour) => neighbour?.equal === true);
  if (repeated)
    return { disposition: 'duplicate', ...located({ ...repeated, executionId: repeated.id }), isNew: true };
  if (run.sessionId !== undefined && state.namedSession === null)
    return reject('SessionNotFound', `there is no session ${run.sessionId}`);
  const dataFrom = sourceOf(run, state);
  if (dataFrom === undefined) return payloadMissing(run);
  const order = placeOf(run);
  return {
    disposition: 'inserted',
    dataFrom,
    ...(order !== undefined && { order }),
    session: takePart(run, chooseSession(state), order),
  };
}

/** The one asked for; else the closed one within whose time the run was begun; else the open one; else a new one. */
function chooseSession(state: ArchiveState): SessionRow | null {
  return state.namedSession ?? state.closedSession ?? state.openSession;
}

/** A run older than the session's last one, or too late for it, is recorded in it and moves nothing. */
function takePart(run: ArchivableRun, joined: SessionRow | null, order: number | undefined): SessionStep {
  const plan = planSession(run);
  if (joined === null) return { path: pathTo(null, plan.target), ...outcomeOf(plan) };
  if (isTerminal(joined.status) || isOlder(order, joined.lastRunOrder)) return { joined, path: [] };
  return { joined, path: pathTo(joined.status, plan.target), ...outcomeOf(plan) };
}

function isOlder(order: number | undefined, lastRunOrder: number | null): boolean {
  return order !== undefined && lastRunOrder !== null && order < lastRunOrder;
}

function outcomeOf({ outcome }: { readonly outcome?: SessionOutcome }) {
  return outcome === undefined ? {} : { outcome };
}

function sourceOf(run: ArchivableRun, state: ArchiveState): 'run' | 'payload' | undefined {
  if (run.data !== undefined) return 'run';
  return state.payloadKept && !run.payloadIsGone ? 'payload' : undefined;
}

/** Whether the row holds the payload that the run refers to. */
function isOfRow(run: ArchivableRun, own: NonNullable<ArchiveState['own']>): boolean {
  return run.data === undefined && !run.payloadIsGone && run.sha256 === own.sha256;
}

function located({ executionId, committedAt, order, session }: Located) {
  return { executionId, committedAt, session, ...(typeof order === 'number' && { order }) };
}

interface Located extends Pick<FoundDecision, 'executionId' | 'committedAt' | 'session'> {
  readonly order?: number | null;
}

function payloadMissing(run: ArchivableRun): RejectedRun {
  return reject('PayloadNotFound', `spec.result.dataRef: no payload ${run.sha256} is kept`);
}

function reject(reason: RejectedRun['reason'], message: string): RejectedRun {
  return { disposition: 'rejected', reason, message };
}
