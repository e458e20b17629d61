import { sql } from 'slonik';
import { z } from 'zod';
import type { ArchivableRun } from '../domain/run.ts';
import type { SessionOutcome, SessionState } from '../domain/session.ts';
import { sessionSubject } from '../domain/slot.ts';
import type { SessionRow } from './archive-state.ts';
import type { Connection } from './database.ts';
import { RacedError } from './raced-error.ts';

const created = z.object({ id: z.string() });
const nothing = z.object({});

/** Opens the session of a run's subject, in the state to which the run leads it. */
export async function createRunSession(
  connection: Connection,
  run: ArchivableRun,
  { repositoryId, status, outcome, order }: NewSession,
): Promise<string> {
  const { id } = await connection.one(sql.prepared('create_run_session', created)`
    INSERT INTO sessions (customer_id, role, status, outcome, repository_id, subject, last_run_order)
    VALUES (
      ${run.customerId}, 'phaserun', ${status}, ${outcome ?? null}, ${repositoryId}, ${sessionSubject(run)}, ${order}
    )
    RETURNING id
  `);
  return id;
}

interface NewSession {
  readonly repositoryId: string;
  readonly status: SessionState;
  readonly outcome: SessionOutcome | undefined;
  readonly order: number;
}

/**
 * Moves a session from the state it was read in.
 * @throws RacedError when it is no longer there
 */
export async function moveRunSession(
  connection: Connection,
  run: ArchivableRun,
  { session, status, outcome, order }: SessionMove,
): Promise<void> {
  const moved = await connection.query(sql.prepared('move_run_session', nothing)`
    UPDATE sessions
    SET
      status = ${status},
      outcome = coalesce(${outcome ?? null}, outcome),
      last_run_order = greatest(last_run_order, ${order}::bigint),
      updated_at = now()
    WHERE id = ${session.id} AND customer_id = ${run.customerId} AND status = ANY(${sql.array([session.status], 'text')})
  `);
  if (moved.rowCount === 0) throw new RacedError(`session ${session.id} is no longer ${session.status}`);
}

interface SessionMove {
  readonly session: SessionRow;
  readonly status: SessionState;
  readonly outcome: SessionOutcome | undefined;
  readonly order: number;
}
