import { type FragmentSqlToken, sql } from 'slonik';
import { z } from 'zod';
import type { JsonObject } from '../domain/run.ts';
import type { SessionState } from '../domain/session.ts';
import type { Connection } from './database.ts';
import { LAST_UUID, type Page, type PageRequest, positionOf, startOf, toPage, variantOf } from './page.ts';
import { type Session, sessionColumns, sessionRow } from './session-row.ts';

/** The session of this id, else the newest that carries the task of this id. */
export function findSession(connection: Connection, customerId: string, id: string): Promise<Session | null> {
  return connection.maybeOne(sql.prepared('find_session', sessionRow)`
    SELECT ${sessionColumns} FROM sessions s
    WHERE s.customer_id = ${customerId} AND s.id = coalesce(
      (SELECT id FROM sessions WHERE id = ${id} AND customer_id = ${customerId}),
      (
        SELECT id FROM sessions WHERE customer_id = ${customerId} AND task_id = ${id}
        ORDER BY created_at DESC, id DESC LIMIT 1
      )
    )
  `);
}

export interface SessionFilter {
  readonly role?: string;
  readonly status?: SessionState;
}

/** The customer's sessions, the newest first. */
export async function listSessions(
  connection: Connection,
  customerId: string,
  filter: SessionFilter,
  page: PageRequest & {
    /** Rows to leave out; reading costs the more the more they are. */
    readonly offset?: number;
  },
): Promise<Page<Session>> {
  const row = sessionRow.extend({ position: z.string() });
  const rows = await connection.any(sql.prepared(`list_sessions.${variantOf({ ...filter })}`, row)`
    SELECT ${sessionColumns}, ${positionOf(sql.fragment`s.created_at`)} AS position FROM sessions s
    WHERE s.customer_id = ${customerId} ${matching(filter)}
      AND (s.created_at, s.id) < (${startOf(page)}::timestamptz, ${page.after?.id ?? LAST_UUID}::uuid)
    ORDER BY s.created_at DESC, s.id DESC
    LIMIT ${page.limit + 1} OFFSET ${page.offset ?? 0}
  `);
  return toPage(rows, page);
}

/** How many there are; it looks at each, if only in an index. */
export async function countSessions(
  connection: Connection,
  customerId: string,
  filter: SessionFilter,
): Promise<number> {
  const counted = z.object({ count: z.number() });
  const { count } = await connection.one(sql.prepared(`count_sessions.${variantOf({ ...filter })}`, counted)`
    SELECT count(*) FROM sessions s WHERE s.customer_id = ${customerId} ${matching(filter)}
  `);
  return count;
}

const openSessions = z.object({ pending: z.number(), active: z.number() });

/** How many sessions of all customers are open, by state. */
export function countOpenSessions(connection: Connection): Promise<z.infer<typeof openSessions>> {
  return connection.one(sql.prepared('count_open_sessions', openSessions)`
    SELECT count(*) FILTER (WHERE status = 'pending') AS pending, count(*) FILTER (WHERE status = 'active') AS active
    FROM sessions WHERE status IN ('pending', 'active')
  `);
}

function matching({ role, status }: SessionFilter): FragmentSqlToken {
  return sql.fragment`
    ${role === undefined ? sql.fragment`` : sql.fragment`AND s.role = ${role}`}
    ${status === undefined ? sql.fragment`` : sql.fragment`AND s.status = ${status}`}`;
}

export interface NewSession {
  readonly customerId: string;
  readonly role: string;
  readonly taskId?: string;
  readonly metadata: JsonObject;
}

/** Opens a session that an agent drives. */
export async function createSession(
  connection: Connection,
  { customerId, role, taskId, metadata }: NewSession,
): Promise<string> {
  const { id } = await connection.one(sql.prepared('create_session', z.object({ id: z.string() }))`
    WITH created AS (
      INSERT INTO sessions (customer_id, role, task_id, metadata)
      VALUES (${customerId}, ${role}, ${taskId ?? null}, ${JSON.stringify(metadata)}::jsonb)
      RETURNING id, customer_id, status
    ), step AS (
      INSERT INTO session_transitions (session_id, customer_id, to_state)
      SELECT id, customer_id, status FROM created
    )
    SELECT id FROM created
  `);
  return id;
}
