import { sql } from 'slonik';
import { z } from 'zod';
import type { Connection } from './database.ts';

/** What a PhaseRun's status claims: that this run's content is in this row. */
export interface Receipt {
  readonly runId: string;
  readonly executionId: string;
  /** Hex. */
  readonly sha256: string;
}

/**
 * The runs of whose receipts the rows are there, with the digest claimed: as a row, as one that repeated
 * another's row, or as a tombstone. Asked before objects are deleted, over customers: a receipt names none.
 */
export async function verifyReceipts(
  connection: Connection,
  receipts: readonly Receipt[],
): Promise<ReadonlySet<string>> {
  const run = z.object({ runId: z.string() });
  const rows = await connection.any(sql.prepared('verify_receipts', run)`
    WITH receipt AS MATERIALIZED (
      SELECT run_id, execution_id, decode(sha256, 'hex') AS sha256
      FROM unnest(
        ${sql.array(
          receipts.map(({ runId }) => runId),
          'uuid',
        )},
        ${sql.array(
          receipts.map(({ executionId }) => executionId),
          'uuid',
        )},
        ${sql.array(
          receipts.map(({ sha256 }) => sha256),
          'text',
        )}
      ) AS r (run_id, execution_id, sha256)
    )
    SELECT r.run_id AS "runId" FROM receipt r JOIN scan_executions e ON e.id = r.execution_id AND e.sha256 = r.sha256
    UNION
    SELECT r.run_id FROM receipt r JOIN validation_executions e ON e.id = r.execution_id AND e.sha256 = r.sha256
    UNION
    SELECT r.run_id FROM receipt r JOIN mitigation_executions e ON e.id = r.execution_id AND e.sha256 = r.sha256
    UNION
    SELECT r.run_id FROM receipt r JOIN duplicate_runs d ON d.run_id = r.run_id AND d.sha256 = r.sha256
    UNION
    SELECT r.run_id FROM receipt r JOIN run_tombstones t ON t.run_id = r.run_id
  `);
  return new Set(rows.map(({ runId }) => runId));
}
