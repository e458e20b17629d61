import { sql } from 'slonik';
import { z } from 'zod';
import { RUN_STATUSES } from '../domain/phase.ts';
import type { ArchivableRun, ArchivedRun, ArchiveOutcome, CommittedRun } from '../domain/run.ts';
import { SESSION_STATES } from '../domain/session.ts';
import type { Connection } from './database.ts';

/** Channel on which each archived run is told. */
export const COMMITTED_CHANNEL = 'phaserun_committed';

/** What is told of a run. */
export const committedRun = z.object({
  runId: z.string(),
  disposition: z.enum([
    'inserted',
    'updated',
    'unchanged',
    'duplicate',
    'deleted',
    'purged',
    'quarantined',
    'rejected',
  ]),
  sha256: z.string(),
  status: z.enum(RUN_STATUSES).exactOptional(),
  executionId: z.string().exactOptional(),
  sessionId: z.string().exactOptional(),
  sessionState: z.enum(SESSION_STATES).exactOptional(),
}) satisfies z.ZodType<CommittedRun>;

/** Makes the notification of a run; `archived` is what became of it, if it was archived. */
export function committedRunOf(
  { runId, sha256, status }: ArchivableRun,
  disposition: ArchiveOutcome['disposition'],
  archived?: ArchivedRun,
): CommittedRun {
  return {
    runId,
    disposition,
    sha256,
    status,
    ...(archived && { executionId: archived.executionId }),
    ...(archived?.session && { sessionId: archived.session.id, sessionState: archived.session.state }),
  };
}

/**
 * What Postgres knows of these runs now, whoever archived them and whenever; a run that it knows nothing of is
 * missing. Ids are not secrets and nothing of the content is answered, so no customer is asked for: whoever
 * waits for a run has made it.
 */
export async function listCommittedRuns(
  connection: Connection,
  runIds: readonly string[],
): Promise<readonly CommittedRun[]> {
  const found = z.object({ committed: committedRun });
  const ids = sql.array([...runIds], 'uuid');
  const rows = await connection.any(sql.prepared('list_committed_runs', found)`
    WITH execution AS (
      SELECT id, session_id, sha256, status FROM scan_executions WHERE id = ANY(${ids})
      UNION ALL
      SELECT id, session_id, sha256, status FROM validation_executions WHERE id = ANY(${ids})
      UNION ALL
      SELECT id, session_id, sha256, status FROM mitigation_executions WHERE id = ANY(${ids})
    ), known AS (
      SELECT id AS run_id, 'unchanged' AS disposition, sha256, status, id AS execution_id, session_id FROM execution
      UNION ALL
      SELECT d.run_id, 'duplicate', d.sha256, d.status, d.execution_id, coalesce(s.session_id, v.session_id, m.session_id)
      FROM duplicate_runs d
      LEFT JOIN scan_executions s ON s.id = d.execution_id
      LEFT JOIN validation_executions v ON v.id = d.execution_id
      LEFT JOIN mitigation_executions m ON m.id = d.execution_id
      WHERE d.run_id = ANY(${ids})
      UNION ALL
      SELECT run_id, reason, sha256, NULL, run_id, NULL FROM run_tombstones WHERE run_id = ANY(${ids})
      UNION ALL
      SELECT run_id, 'quarantined', sha256, NULL, NULL, NULL FROM quarantined_runs WHERE run_id = ANY(${ids})
    )
    SELECT jsonb_strip_nulls(jsonb_build_object(
      'runId', known.run_id,
      'disposition', known.disposition,
      'sha256', encode(known.sha256, 'hex'),
      'status', known.status,
      'executionId', known.execution_id,
      'sessionId', known.session_id,
      'sessionState', sessions.status
    )) AS committed
    FROM known LEFT JOIN sessions ON sessions.id = known.session_id
  `);
  return rows.map(({ committed }) => committed);
}
