import type { ArchivableRun, ArchivedRun, ArchiveOutcome, RejectedRun } from '../domain/run.ts';
import {
  type ArchiveDecision,
  decideArchive,
  type FoundDecision,
  type WriteDecision,
} from './archive-decision.ts';
import { type ArchiveState, getArchiveState } from './archive-state.ts';
import { committedRunOf } from './committed-runs.ts';
import type { Connection } from './database.ts';
import { toDatabaseError } from './errors.ts';
import { holdTerm, requireTerm, type Term } from './leadership.ts';
import { quarantineRun } from './quarantine.ts';
import { touchRepository } from './repositories.ts';
import { insertDuplicate, insertTombstone, notifyCommitted, recordRun } from './run-records.ts';
import { planSessionWrite, writeRun } from './run-writes.ts';
import { drawRunOrder, lockSlot } from './slots.ts';

/**
 * Turns a run into rows, in one transaction: its repository, its execution, its session with the steps
 * taken, an audit event, and a notification for whoever waits. Run again, by anyone, in any state of
 * the rows, it ends in the same rows; a run that is there as it should be writes nothing.
 *
 * The slot's lock orders those who work on one slot. All that decides is read at once under it, decided by pure
 * functions, and then written.
 * @param term of the leader that archives; absent: whether anybody leads does not matter
 * @throws DatabaseError when it could not be done now; StaleLeaderError when the term is over
 */
export async function archiveRun(pool: Connection, run: ArchivableRun, term?: Term): Promise<ArchiveOutcome> {
  try {
    return await pool.transaction((transaction) => archiveIn(transaction, run, term));
  } catch (error) {
    const failure = toDatabaseError(error);
    if (failure.kind !== 'content') throw failure;
    return pool.transaction(async (transaction) => {
      if (term !== undefined) await holdTerm(transaction, term);
      return quarantineRun(transaction, run, failure);
    });
  }
}

async function archiveIn(
  transaction: Connection,
  run: ArchivableRun,
  term: Term | undefined,
): Promise<ArchivedRun | RejectedRun> {
  await lockSlot(transaction, run, term?.epoch);
  const state = await getArchiveState(transaction, run);
  if (term !== undefined) requireTerm(term, state);
  return carryOut(transaction, run, state, decideArchive(run, state));
}

async function carryOut(
  transaction: Connection,
  run: ArchivableRun,
  state: ArchiveState,
  decision: ArchiveDecision,
): Promise<ArchivedRun | RejectedRun> {
  if ('dataFrom' in decision) return write(transaction, run, state, decision);
  if ('executionId' in decision) return note(transaction, run, state, decision);
  await notifyCommitted(transaction, committedRunOf(run, decision.disposition));
  return decision;
}

async function write(
  transaction: Connection,
  run: ArchivableRun,
  state: ArchiveState,
  decision: WriteDecision,
): Promise<ArchivedRun> {
  const { repository, now: committedAt } = state;
  const repositoryId =
    repository === null || repository.stale ? await touchRepository(transaction, run) : repository.id;
  const order = decision.order ?? (await drawRunOrder(transaction));
  const session = decision.session && planSessionWrite(decision.session);
  const { disposition, dataFrom } = decision;
  const archived = archivedOf(run, state, {
    disposition,
    executionId: run.runId,
    committedAt,
    order,
    session: session && { id: session.id, state: session.state },
  });
  const committed = committedRunOf(run, disposition, archived);
  const transitions = await writeRun(transaction, { run, repositoryId, order, session, dataFrom, committed });
  return { ...archived, transitions, ...timeToFix(decision, state, committedAt) };
}

/** How long the work took that this run brought to its end, counted from its first validation. */
function timeToFix(
  { session }: WriteDecision,
  { firstValidationAt }: ArchiveState,
  committedAt: string,
): Pick<ArchivedRun, 'secondsToFix'> {
  const isFixed = session?.outcome === 'fixed' && session.path.at(-1)?.to === 'completed';
  if (!isFixed || firstValidationAt === null) return {};
  return { secondsToFix: Math.max(0, Date.parse(committedAt) - Date.parse(firstValidationAt)) / 1000 };
}

/** Notes, the first time, why there is no row; says it to whoever waits each time. */
async function note(
  transaction: Connection,
  run: ArchivableRun,
  state: ArchiveState,
  { isNew, session, ...found }: FoundDecision,
): Promise<ArchivedRun> {
  const archived = archivedOf(run, state, {
    ...found,
    session: session && { id: session.id, state: session.status },
  });
  const committed = committedRunOf(run, archived.disposition, archived);
  if (!isNew) {
    await notifyCommitted(transaction, committed);
    return archived;
  }
  if (archived.disposition === 'duplicate') await insertDuplicate(transaction, run, archived.executionId);
  else await insertTombstone(transaction, run);
  await recordRun(transaction, { run, committed });
  return archived;
}

interface Outcome extends Pick<ArchivedRun, 'disposition' | 'executionId' | 'committedAt' | 'order'> {
  readonly session: ArchivedRun['session'] | null | undefined;
}

function archivedOf(run: ArchivableRun, state: ArchiveState, { session, ...found }: Outcome): ArchivedRun {
  const { sha256 } = run;
  const { incarnation } = state;
  return { ...found, sha256, incarnation, transitions: [], ...(session && { session }) };
}
