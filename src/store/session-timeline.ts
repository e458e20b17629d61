import { sql } from 'slonik';
import { z } from 'zod';
import { PHASES, RUN_STATUSES } from '../domain/phase.ts';
import { SESSION_STATES } from '../domain/session.ts';
import type { Connection } from './database.ts';

const transition = z.object({
  from: z.enum(SESSION_STATES).nullable(),
  to: z.enum(SESSION_STATES),
  /** The run that caused it; null where an agent or time did. */
  runId: z.string().nullable(),
  at: z.string(),
});

const execution = z.object({
  id: z.string(),
  phase: z.enum(PHASES),
  status: z.enum(RUN_STATUSES),
  commitSha: z.string().nullable(),
  issueNumber: z.number().nullable(),
  pipelineRunId: z.string().nullable(),
  vulnerabilities: z.number().nullable(),
  validated: z.boolean().nullable(),
  redGreen: z.string().nullable(),
  trustScore: z.number().nullable(),
  pullRequestUrl: z.string().nullable(),
  errorMessage: z.string().nullable(),
  startedAt: z.string().nullable(),
  completedAt: z.string().nullable(),
  createdAt: z.string(),
});

export type SessionTransitionRow = z.infer<typeof transition>;
export type SessionExecution = z.infer<typeof execution>;

/** The steps that a session has taken, in order. */
export function listSessionTransitions(
  connection: Connection,
  customerId: string,
  sessionId: string,
): Promise<readonly SessionTransitionRow[]> {
  // A session enters each state at most once, and none before one that stands before it here.
  return connection.any(sql.prepared('list_session_transitions', transition)`
    SELECT from_state AS "from", to_state AS "to", run_id AS "runId", created_at AS at
    FROM session_transitions
    WHERE session_id = ${sessionId} AND customer_id = ${customerId}
    ORDER BY array_position(${sql.array([...SESSION_STATES], 'text')}, to_state::text)
  `);
}

/** The newest runs that took part in a session, the oldest of them first. */
export async function listSessionExecutions(
  connection: Connection,
  customerId: string,
  sessionId: string,
  { limit }: { readonly limit: number },
): Promise<readonly SessionExecution[]> {
  const newestFirst = await connection.any(sql.prepared('list_session_executions', execution)`
    SELECT
      e.id, e.phase, e.status, e.commit_sha AS "commitSha", e.issue_number AS "issueNumber",
      e.pipeline_run_id AS "pipelineRunId", e.vulnerabilities, e.validated, e.red_green AS "redGreen",
      e.trust_score AS "trustScore", e.pr_url AS "pullRequestUrl", e.error_message AS "errorMessage",
      e.started_at AS "startedAt", e.completed_at AS "completedAt", e.created_at AS "createdAt"
    FROM (
      SELECT
        id, 'scan' AS phase, status, commit_sha, issue_number, pipeline_run_id,
        vulnerabilities_count AS vulnerabilities, NULL::boolean AS validated, NULL AS red_green,
        NULL::double precision AS trust_score, NULL AS pr_url,
        error_message, started_at, completed_at, created_at, run_order
      FROM scan_executions WHERE session_id = ${sessionId} AND customer_id = ${customerId}
      UNION ALL
      SELECT
        id, 'validation', status, commit_sha, issue_number, pipeline_run_id,
        vulnerabilities_found, validated, red_green, NULL, NULL,
        error_message, started_at, completed_at, created_at, run_order
      FROM validation_executions WHERE session_id = ${sessionId} AND customer_id = ${customerId}
      UNION ALL
      SELECT
        id, 'mitigation', status, commit_sha, issue_number, pipeline_run_id,
        NULL, NULL, red_green, trust_score, pr_url,
        error_message, started_at, completed_at, created_at, run_order
      FROM mitigation_executions WHERE session_id = ${sessionId} AND customer_id = ${customerId}
    ) AS e
    ORDER BY e.run_order DESC
    LIMIT ${limit}
  `);
  return newestFirst.toReversed();
}
