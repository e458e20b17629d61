import { sql } from 'slonik';
import { z } from 'zod';
import type { Connection } from './database.ts';

const keptResult = z.object({
  runId: z.string(),
  /** A row of its own, the row of another that it repeated, or the note that it is not to have one. */
  kind: z.enum(['row', 'duplicate', 'tombstone']),
  customerId: z.string(),
  executionId: z.string(),
  /** Hex. */
  sha256: z.string().nullable(),
});

export type KeptResult = z.infer<typeof keptResult>;

/** What is kept of these runs, whosever they are. */
export function listKeptResults(
  connection: Connection,
  runIds: readonly string[],
): Promise<readonly KeptResult[]> {
  const ids = sql.array([...runIds], 'uuid');
  return connection.any(sql.prepared('list_kept_results', keptResult)`
    SELECT id AS "runId", 'row' AS kind, customer_id AS "customerId", id AS "executionId", encode(sha256, 'hex') AS sha256
    FROM scan_executions WHERE id = ANY(${ids})
    UNION ALL
    SELECT id, 'row', customer_id, id, encode(sha256, 'hex') FROM validation_executions WHERE id = ANY(${ids})
    UNION ALL
    SELECT id, 'row', customer_id, id, encode(sha256, 'hex') FROM mitigation_executions WHERE id = ANY(${ids})
    UNION ALL
    SELECT run_id, 'duplicate', customer_id, execution_id, encode(sha256, 'hex') FROM duplicate_runs WHERE run_id = ANY(${ids})
    UNION ALL
    SELECT run_id, 'tombstone', customer_id, run_id, NULL FROM run_tombstones WHERE run_id = ANY(${ids})
  `);
}
