import { sql } from 'slonik';
import { z } from 'zod';
import type { Connection } from './database.ts';

const nothing = z.object({});

/**
 * Cuts each chain at the newest checkpoint that is older than so many days: what is left begins after it, and is verified
 * from there. The events before it are deleted by {@link deleteCutEvents}, the checkpoints before it here.
 * @returns how many chains were cut
 */
export async function cutAuditChains(connection: Connection, retentionDays: number): Promise<number> {
  const row = z.object({ count: z.number() });
  const { count } = await connection.one(sql.prepared('cut_audit_chains', row)`
    WITH cut AS MATERIALIZED (
      SELECT customer_id, max(sequence) AS sequence FROM audit_checkpoints
      WHERE cut_at IS NULL AND sealed_at < now() - make_interval(days => ${retentionDays})
      GROUP BY customer_id
    ), marked AS (
      UPDATE audit_checkpoints SET cut_at = now() FROM cut
      WHERE ${isSameChain} AND audit_checkpoints.sequence = cut.sequence
      RETURNING 1
    ), deleted AS (
      DELETE FROM audit_checkpoints USING cut WHERE ${isSameChain} AND audit_checkpoints.sequence < cut.sequence
    )
    SELECT count(*) FROM marked
  `);
  return count;
}

/** Equality that counts nobody as somebody, and can be hashed. */
const isSameChain = sql.fragment`
  coalesce(audit_checkpoints.customer_id, '00000000-0000-0000-0000-000000000000')
    = coalesce(cut.customer_id, '00000000-0000-0000-0000-000000000000')`;

/**
 * Deletes events before the places where their chains were cut.
 * @returns how many; as many as `limit` means that there may be more
 */
export async function deleteCutEvents(connection: Connection, limit: number): Promise<number> {
  const { rowCount } = await connection.query(sql.prepared('delete_cut_events', nothing)`
    DELETE FROM audit_events
    WHERE id = ANY(ARRAY(
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
    ))
  `);
  return rowCount;
}
