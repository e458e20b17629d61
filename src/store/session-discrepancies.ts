import { type FragmentSqlToken, sql } from 'slonik';
import { z } from 'zod';
import { SESSION_STATES } from '../domain/session.ts';
import type { Connection } from './database.ts';

const sessionBehind = z.object({
  sessionId: z.string(),
  customerId: z.string(),
  status: z.enum(SESSION_STATES),
  /** Where the newest of its executions wanted it. */
  wanted: z.enum(SESSION_STATES),
  executionId: z.string(),
});

export type SessionBehind = z.infer<typeof sessionBehind>;

/**
 * Open sessions that their newest execution calls further than they are. The transaction that writes the execution moves
 * the session, so there are none, unless rows were changed by hand.
 *
 * What a completed validation calls for stands in its payload: here it counts as work that goes on.
 */
export function listSessionsBehind(connection: Connection, limit: number): Promise<readonly SessionBehind[]> {
  return connection.any(sql.prepared('list_sessions_behind', sessionBehind)`
    SELECT s.id AS "sessionId", s.customer_id AS "customerId", s.status, newest.wanted, newest.id AS "executionId"
    FROM sessions s CROSS JOIN LATERAL (
      SELECT id, run_order, wanted FROM (
        ${wantedBy('scan_executions', sql.fragment`'completed'`)}
        UNION ALL ${wantedBy('validation_executions', sql.fragment`'active'`)}
        UNION ALL ${wantedBy(
          'mitigation_executions',
          sql.fragment`CASE WHEN e.red_green = 'unproven' THEN 'active' ELSE 'completed' END`,
        )}
      ) AS execution
      ORDER BY run_order DESC LIMIT 1
    ) AS newest
    WHERE s.status IN ('pending', 'active') AND s.subject IS NOT NULL
      AND newest.run_order >= coalesce(s.last_run_order, 0)
      AND (newest.wanted IN ('completed', 'failed') OR (newest.wanted = 'active' AND s.status = 'pending'))
    ORDER BY s.created_at LIMIT ${limit}
  `);
}

function wantedBy(table: string, completed: FragmentSqlToken): FragmentSqlToken {
  return sql.fragment`
    SELECT e.id, e.run_order, CASE e.status
      WHEN 'completed' THEN ${completed} WHEN 'failed' THEN 'failed' WHEN 'running' THEN 'active' ELSE 'pending'
    END AS wanted
    FROM ${sql.identifier([table])} e WHERE e.session_id = s.id AND e.customer_id = s.customer_id`;
}

const sessionUnrecorded = z.object({
  sessionId: z.string(),
  customerId: z.string(),
  status: z.enum(SESSION_STATES),
});

export type SessionUnrecorded = z.infer<typeof sessionUnrecorded>;

/** Sessions whose state no transition leads to, or that are open though one led to their end. */
export function listUnrecordedSessions(
  connection: Connection,
  limit: number,
): Promise<readonly SessionUnrecorded[]> {
  return connection.any(sql.prepared('list_unrecorded_sessions', sessionUnrecorded)`
    SELECT s.id AS "sessionId", s.customer_id AS "customerId", s.status
    FROM sessions s
    WHERE NOT EXISTS (
        SELECT FROM session_transitions t WHERE t.session_id = s.id AND t.to_state = s.status
      )
      OR (s.status IN ('pending', 'active') AND EXISTS (
        SELECT FROM session_transitions t
        WHERE t.session_id = s.id AND t.to_state IN ('completed', 'failed', 'expired')
      ))
    ORDER BY s.created_at LIMIT ${limit}
  `);
}
