import type { ArchivableRun, ArchivedRun, ArchiveOutcome, CommittedRun, RejectedRun } from '../domain/run.ts';
import { type ArchiveDecision, decideArchive, type WriteDecision } from './archive-decision.ts';
import { type ArchiveState, getArchiveStates } from './archive-state.ts';
import { committedRunOf } from './committed-runs.ts';
import type { Connection } from './database.ts';
import { toDatabaseError } from './errors.ts';
import { holdTerm, requireTerm, type Term } from './leadership.ts';
import { quarantineRun } from './quarantine.ts';
import { touchRepository } from './repositories.ts';
import { insertDuplicate, insertTombstone, notifyCommitted, recordRun } from './run-records.ts';
import { planSessionWrite, type RunWrite, writeRuns } from './run-writes.ts';
import { drawRunOrder, lockSlot, tryLockSlots } from './slots.ts';

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
    return await pool.transaction(async (transaction) => {
      await lockSlot(transaction, run, term?.epoch);
      const [outcome] = await carryOut(transaction, await decide(transaction, [run], term));
      if (outcome === undefined) throw new Error(`nothing became of run ${run.runId}`);
      return outcome;
    });
  } catch (error) {
    const failure = toDatabaseError(error);
    if (failure.kind !== 'content') throw failure;
    return pool.transaction(async (transaction) => {
      if (term !== undefined) await holdTerm(transaction, term);
      return quarantineRun(transaction, run, failure);
    });
  }
}

/**
 * Turns runs into rows as {@link archiveRun} does, all in one transaction, which costs little more than one run's. It waits
 * for no slot and not for long for a row, so that nobody who holds one holds up the others.
 * @param runs no two of one slot
 * @returns what became of each; undefined for those that are to be archived by themselves, of which nothing was written:
 *   where their slot was locked or another run of the group is of the same session; or, of all of them, where what one of
 *   them would have written was refused or locked
 * @throws DatabaseError when it could not be done now; StaleLeaderError when the term is over
 */
export async function archiveTogether(
  pool: Connection,
  runs: readonly ArchivableRun[],
  term?: Term,
): Promise<readonly (ArchiveOutcome | undefined)[]> {
  try {
    return await pool.transaction((transaction) => archiveUnlocked(transaction, runs, term));
  } catch (error) {
    const failure = toDatabaseError(error);
    const isHeldUp = failure.sqlstate === LOCK_NOT_AVAILABLE;
    if ((failure.kind === 'unavailable' && !isHeldUp) || failure.kind === 'stale_leader') throw failure;
    return runs.map(() => undefined);
  }
}

async function archiveUnlocked(
  transaction: Connection,
  runs: readonly ArchivableRun[],
  term: Term | undefined,
): Promise<readonly (ArchiveOutcome | undefined)[]> {
  const locked = await tryLockSlots(transaction, runs, term?.epoch);
  const decided = withoutTwins(await decide(transaction, locked, term));
  const outcomes = await carryOut(transaction, decided);
  const outcomeOf = new Map(decided.map(({ run }, index) => [run, outcomes[index]]));
  return runs.map((run) => outcomeOf.get(run));
}

/** What was read before the others of a group are written does not hold for a second run of one id, or of one session. */
function withoutTwins(decided: readonly Decided[]): readonly Decided[] {
  const taken = new Set<string>();
  return decided.filter(({ run, decision }) => {
    const joined = 'dataFrom' in decision ? decision.session?.joined?.id : undefined;
    const ids = [run.runId, ...(joined === undefined ? [] : [joined])];
    if (ids.some((id) => taken.has(id))) return false;
    for (const id of ids) taken.add(id);
    return true;
  });
}

/** The slots are locked. */
async function decide(
  transaction: Connection,
  runs: readonly ArchivableRun[],
  term: Term | undefined,
): Promise<readonly Decided[]> {
  const states = await getArchiveStates(transaction, runs);
  return states.map(({ run, state }) => {
    if (term !== undefined) requireTerm(term, state);
    return { run, state, decision: decideArchive(run, state) };
  });
}

const LOCK_NOT_AVAILABLE = '55P03';

interface Decided<Decision = ArchiveDecision> {
  readonly run: ArchivableRun;
  readonly state: ArchiveState;
  readonly decision: Decision;
}

/** @returns what became of each, in their order */
async function carryOut(
  transaction: Connection,
  decided: readonly Decided[],
): Promise<readonly (ArchivedRun | RejectedRun)[]> {
  const writes: PlannedWrite[] = [];
  const told: CommittedRun[] = [];
  const outcomes: (ArchivedRun | RejectedRun)[] = [];
  const repositories = await touchRepositories(transaction, decided);
  for (const { run, state, decision } of decided) {
    if ('dataFrom' in decision) {
      const planned = await planWrite(transaction, { run, state, decision }, repositories);
      writes.push({ ...planned, index: outcomes.length });
      outcomes.push(planned.archived);
    } else if ('executionId' in decision) {
      const archived = archivedOf(run, state, {
        ...decision,
        session: decision.session && { id: decision.session.id, state: decision.session.status },
      });
      const committed = committedRunOf(run, archived.disposition, archived);
      if (decision.isNew) await note(transaction, run, committed);
      else told.push(committed);
      outcomes.push(archived);
    } else {
      told.push(committedRunOf(run, decision.disposition));
      outcomes.push(decision);
    }
  }
  const transitions = await writeRuns(
    transaction,
    writes.map(({ write }) => write),
  );
  for (const [place, { index, archived }] of writes.entries())
    outcomes[index] = { ...archived, transitions: transitions[place] ?? [] };
  if (told.length > 0) await notifyCommitted(transaction, told);
  return outcomes;
}

/** Each once, and always in the same order, so that no two groups wait for each other. */
async function touchRepositories(
  transaction: Connection,
  decided: readonly Decided[],
): Promise<ReadonlyMap<string, string>> {
  const stale = new Map(
    decided
      .filter(({ decision, state: { repository } }) => 'dataFrom' in decision && repository?.stale !== false)
      .map(({ run }) => [repositoryKey(run), run]),
  );
  const touched = new Map<string, string>();
  for (const [key, run] of [...stale].toSorted(([a], [b]) => (a < b ? -1 : 1)))
    touched.set(key, await touchRepository(transaction, run));
  return touched;
}

function repositoryKey({ customerId, repository }: ArchivableRun): string {
  return `${customerId} ${repository.forge}/${repository.namespace}/${repository.name}`;
}

interface PlannedWrite {
  /** What it will have come to, but for its transitions. */
  readonly archived: ArchivedRun;
  readonly write: RunWrite;
  /** Of its outcome. */
  readonly index: number;
}

async function planWrite(
  transaction: Connection,
  { run, state, decision }: Decided<WriteDecision>,
  repositories: ReadonlyMap<string, string>,
): Promise<Omit<PlannedWrite, 'index'>> {
  const { now: committedAt } = state;
  const repositoryId = repositories.get(repositoryKey(run)) ?? state.repository?.id;
  if (repositoryId === undefined) throw new Error(`run ${run.runId} has no repository`);
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
  return {
    archived: { ...archived, ...timeToFix(decision, state, committedAt) },
    write: { run, repositoryId, order, session, dataFrom, committed },
  };
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

/** Notes, the first time, why a run has no row. */
async function note(transaction: Connection, run: ArchivableRun, committed: CommittedRun): Promise<void> {
  const { disposition, executionId } = committed;
  if (disposition === 'duplicate' && executionId !== undefined)
    await insertDuplicate(transaction, run, executionId);
  else await insertTombstone(transaction, run);
  await recordRun(transaction, { run, committed });
}

interface Outcome extends Pick<ArchivedRun, 'disposition' | 'executionId' | 'committedAt' | 'order'> {
  readonly session: ArchivedRun['session'] | null | undefined;
}

function archivedOf(
  run: ArchivableRun,
  { incarnation }: ArchiveState,
  { disposition, executionId, committedAt, order, session }: Outcome,
): ArchivedRun {
  return {
    disposition,
    executionId,
    committedAt,
    sha256: run.sha256,
    incarnation,
    transitions: [],
    ...(order !== undefined && { order }),
    ...(session && { session }),
  };
}
