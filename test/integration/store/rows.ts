import { sql } from 'slonik';
import { z } from 'zod';
import type { Phase } from '../../../src/domain/phase.ts';
import type { Connection } from '../../../src/store/database.ts';

export async function countRows(pool: Connection, table: string, customerId: string): Promise<number> {
  const { n } = await pool.one(sql.type(z.object({ n: z.number() }))`
    SELECT count(*) AS n FROM ${sql.identifier([table])} WHERE customer_id = ${customerId}
  `);
  return n;
}

const row = z.looseObject({ id: z.string(), run_order: z.number(), data: z.unknown() });

/** The newest first. */
export function listRows(pool: Connection, phase: Phase, customerId: string) {
  return pool.any(sql.type(row)`
    SELECT * FROM ${sql.identifier([`${phase}_executions`])} WHERE customer_id = ${customerId} ORDER BY run_order DESC
  `);
}

const session = z.object({
  id: z.string(),
  status: z.string(),
  outcome: z.string().nullable(),
  last_run_order: z.number().nullable(),
});

/** In the order in which they were begun. */
export function listSessions(pool: Connection, customerId: string) {
  return pool.any(
    sql.type(session)`SELECT * FROM sessions WHERE customer_id = ${customerId} ORDER BY created_at`,
  );
}
