import { sql } from 'slonik';
import { z } from 'zod';
import type { Connection } from './database.ts';

const nothing = z.object({});

/**
 * Cuts each chain at the newest checkpoint that is older than so many days: what is left begins after it, and is verified
 * from there. The events before it are deleted by {@link deleteCutEvents}.
 * @returns how many chains were cut
 */
export async function cutAuditChains(connection: Connection, retentionDays: number): Promise<number> {
  const { rowCount } = await connection.query(sql.prepared('cut_audit_chains', nothing)`
    UPDATE audit_checkpoints SET cut_at = now()
    WHERE cut_at IS NULL AND sealed_at < now() - make_interval(days => ${retentionDays})
  `);
  return rowCount;
}

/**
 * Deletes events before the places where their chains were cut.
 * @returns how many; as many as `limit` means that there may be more
 */
export async function deleteCutEvents(connection: Connection, limit: number): Promise<number> {
  const { rowCount } = await connection.query(sql.prepared('delete_cut_events', nothing)`
    DELETE FROM audit_events
    WHERE id IN (
      SELECT event.id
      FROM (
        SELECT customer_id, max(sequence) AS sequence FROM audit_checkpoints
        WHERE cut_at IS NOT NULL GROUP BY customer_id
      ) AS cut
      CROSS JOIN LATERAL (
        SELECT id FROM audit_events WHERE customer_id = cut.customer_id AND chain_sequence <= cut.sequence
        UNION ALL
        SELECT id FROM audit_events
        WHERE cut.customer_id IS NULL AND customer_id IS NULL AND chain_sequence <= cut.sequence
      ) AS event
      LIMIT ${limit}
    )
  `);
  return rowCount;
}
