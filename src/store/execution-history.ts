import { sql } from 'slonik';
import { z } from 'zod';
import { PHASES } from '../domain/phase.ts';
import { SESSION_STATES } from '../domain/session.ts';
import type { Connection } from './database.ts';

const execution = z.object({
  id: z.string(),
  phase: z.enum(PHASES),
  status: z.string(),
  repository: z.string(),
  issueNumber: z.number().nullable(),
  commitSha: z.string().nullable(),
  sessionId: z.string().nullable(),
  sessionState: z.enum(SESSION_STATES).nullable(),
});

export type Execution = z.infer<typeof execution>;

/** The newest execution rows of a customer's repository (`namespace/name`, lower case), newest first. */
export function listExecutions(
  connection: Connection,
  {
    customerId,
    repository,
    limit,
  }: { readonly customerId: string; readonly repository: string; readonly limit: number },
): Promise<readonly Execution[]> {
  const end = repository.lastIndexOf('/');
  return connection.any(sql.prepared('list_executions', execution)`
    SELECT e.id, e.phase, e.status, r.full_path AS repository, e.issue_number AS "issueNumber",
           e.commit_sha AS "commitSha", e.session_id AS "sessionId", s.status AS "sessionState"
    FROM repositories r
    CROSS JOIN LATERAL (
      SELECT id, 'scan' AS phase, status, issue_number, commit_sha, session_id, run_order
      FROM scan_executions WHERE customer_id = r.customer_id AND repository_id = r.id
      UNION ALL
      SELECT id, 'validation', status, issue_number, commit_sha, session_id, run_order
      FROM validation_executions WHERE customer_id = r.customer_id AND repository_id = r.id
      UNION ALL
      SELECT id, 'mitigation', status, issue_number, commit_sha, session_id, run_order
      FROM mitigation_executions WHERE customer_id = r.customer_id AND repository_id = r.id
    ) AS e
    LEFT JOIN sessions s ON s.id = e.session_id AND s.customer_id = r.customer_id
    WHERE r.customer_id = ${customerId}
      AND r.namespace = ${repository.slice(0, end)} AND r.name = ${repository.slice(end + 1)}
    ORDER BY e.run_order DESC
    LIMIT ${limit}
  `);
}
