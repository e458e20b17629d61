import { sql } from 'slonik';
import { z } from 'zod';
import type { Connection } from './database.ts';

/** The customer in whose rows a run is, once it is there; for the controller, which knows a run before its customer. */
export async function findCustomerOfRun(connection: Connection, runId: string): Promise<string | undefined> {
  const row = await connection.maybeOne(sql.prepared(
    'find_customer_of_run',
    z.object({ customerId: z.string() }),
  )`
    SELECT customer_id AS "customerId" FROM (
      SELECT id, customer_id FROM scan_executions
      UNION ALL SELECT id, customer_id FROM validation_executions
      UNION ALL SELECT id, customer_id FROM mitigation_executions
      UNION ALL SELECT run_id, customer_id FROM duplicate_runs
      UNION ALL SELECT run_id, customer_id FROM run_tombstones
    ) AS known
    WHERE id = ${runId}
    LIMIT 1
  `);
  return row?.customerId;
}
