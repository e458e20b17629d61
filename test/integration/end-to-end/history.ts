import { sql } from 'slonik';
import { z } from 'zod';
import type { Connection } from '../../../src/store/database.ts';

/** How often each step of a session was recorded: `{ 'pending → active': 2 }`. */
export async function countTransitions(
  pool: Connection,
  customerId: string,
): Promise<Readonly<Record<string, number>>> {
  const row = z.object({ step: z.string(), n: z.number() });
  const rows = await pool.any(sql.type(row)`
    SELECT coalesce(from_state, 'none') || ' → ' || to_state AS step, count(*) AS n
    FROM session_transitions WHERE customer_id = ${customerId} GROUP BY 1
  `);
  return Object.fromEntries(rows.map(({ step, n }) => [step, n]));
}

/** How often each kind of event was audited: `{ 'phaserun.inserted': 2 }`. */
export async function countAudited(
  pool: Connection,
  customerId: string,
): Promise<Readonly<Record<string, number>>> {
  const row = z.object({ kind: z.string(), n: z.number() });
  const rows = await pool.any(sql.type(row)`
    SELECT event_type AS kind, count(*) AS n FROM audit_events WHERE customer_id = ${customerId} GROUP BY 1
  `);
  return Object.fromEntries(rows.map(({ kind, n }) => [kind, n]));
}
