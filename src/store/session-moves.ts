import { sql } from 'slonik';
import { z } from 'zod';
import type { JsonObject } from '../domain/run.ts';
import { canTransition, SESSION_STATES, type SessionState } from '../domain/session.ts';
import type { Connection } from './database.ts';
import { RacedError } from './raced-error.ts';
import { type Session, sessionColumns, sessionRow } from './session-row.ts';
import { enqueueSessionEvents } from './webhook-outbox.ts';

/** The session of this id, which nobody else moves until the transaction ends. */
export function lockSession(connection: Connection, customerId: string, id: string): Promise<Session | null> {
  return connection.maybeOne(sql.prepared('lock_session', sessionRow)`
    SELECT ${sessionColumns} FROM sessions s WHERE s.id = ${id} AND s.customer_id = ${customerId}
    FOR UPDATE OF s
  `);
}

/** What a session is to be; what is not named stays. */
export interface SessionUpdate {
  readonly status: SessionState;
  readonly taskId: string | null;
  readonly metadata: JsonObject;
}

/**
 * Changes a session, and records the step that it takes. The statement holds the table of transitions against the row once
 * more, so that of two writers who saw the same state one alone gets its way.
 * @throws RacedError when the session is not in the state it was read in, or no step leads from there
 */
export async function updateSession(
  connection: Connection,
  customerId: string,
  session: Pick<Session, 'id' | 'status'>,
  { status, taskId, metadata }: SessionUpdate,
): Promise<Session> {
  const moved = await connection.maybeOne(sql.prepared('update_session', sessionRow)`
    WITH s AS (
      UPDATE sessions
      SET status = ${status}, task_id = ${taskId}, metadata = ${JSON.stringify(metadata)}::jsonb, updated_at = now()
      WHERE id = ${session.id} AND customer_id = ${customerId}
        AND status = ${session.status} AND status = ANY(${sql.array(sourcesOf(status), 'text')})
      RETURNING *
    ), step AS (
      INSERT INTO session_transitions (session_id, customer_id, from_state, to_state)
      SELECT id, customer_id, ${session.status}::text, status FROM s WHERE status <> ${session.status}
    ), told AS (
      ${enqueueSessionEvents(sql.fragment`
        SELECT id, customer_id, role, task_id, repository_id, subject, outcome, ${session.status}::text, status
        FROM s WHERE status <> ${session.status}
      `)}
    )
    SELECT ${sessionColumns} FROM s
  `);
  if (moved === null) throw new RacedError(`session ${session.id} cannot become ${status} any more`);
  return moved;
}

/** Where a session may be that is to be in this state afterwards: there already, or one step before. */
function sourcesOf(status: SessionState): SessionState[] {
  return SESSION_STATES.filter((from) => from === status || canTransition(from, status));
}

const expired = z.object({ from: z.enum(SESSION_STATES) });

/**
 * Expires the oldest open sessions that were created more than so many days ago; those in which somebody is at work this
 * moment are left for the next time.
 * @returns the state that each was in; as many as `limit` means that there may be more
 */
export async function expireSessions(
  connection: Connection,
  { retentionDays, limit }: { readonly retentionDays: number; readonly limit: number },
): Promise<readonly SessionState[]> {
  const rows = await connection.any(sql.prepared('expire_sessions', expired)`
    WITH due AS (
      SELECT id, status FROM sessions
      WHERE status IN ('pending', 'active') AND created_at < now() - make_interval(days => ${retentionDays})
      ORDER BY created_at
      LIMIT ${limit}
      FOR UPDATE SKIP LOCKED
    ), moved AS (
      UPDATE sessions s SET status = 'expired', updated_at = now()
      FROM due WHERE s.id = due.id AND s.status = due.status
      RETURNING s.id, s.customer_id, s.role, s.task_id, s.repository_id, s.subject, s.outcome, due.status AS from_state
    ), steps AS (
      INSERT INTO session_transitions (session_id, customer_id, from_state, to_state)
      SELECT id, customer_id, from_state, 'expired' FROM moved
    ), told AS (
      ${enqueueSessionEvents(sql.fragment`
        SELECT id, customer_id, role, task_id, repository_id, subject, outcome, from_state, 'expired' FROM moved
      `)}
    ), audited AS (
      INSERT INTO audit_events (customer_id, event_type, role, metadata)
      SELECT customer_id, 'session.expired', role,
        jsonb_build_object('sessionId', id, 'from', from_state, 'to', 'expired')
      FROM moved
    )
    SELECT from_state AS "from" FROM moved
  `);
  return rows.map(({ from }) => from);
}
