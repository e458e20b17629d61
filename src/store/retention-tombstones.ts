import { sql } from 'slonik';
import { z } from 'zod';
import type { Connection } from './database.ts';
import { positionOf } from './page.ts';
import type { RetentionPosition } from './retention-executions.ts';

/**
 * What keeps a run from coming back: its tombstone, or that it repeated a row which is gone by now (`repeated`).
 */
export type RunTombstoneKind = 'buried' | 'repeated';

export interface OldPage {
  readonly days: number;
  readonly after: RetentionPosition;
  readonly limit: number;
}

const oldRun = z.object({ id: z.string(), at: z.string() });

/** Runs that have been kept from coming back for longer than so many days, the oldest first; none that waits in the inbox. */
export function listOldRunTombstones(
  connection: Connection,
  kind: RunTombstoneKind,
  { days, after, limit }: OldPage,
): Promise<readonly z.infer<typeof oldRun>[]> {
  const table = kind === 'buried' ? sql.fragment`run_tombstones` : sql.fragment`duplicate_runs`;
  const isOver =
    kind === 'buried'
      ? sql.fragment`true`
      : sql.fragment`(SELECT true FROM scan_executions e WHERE e.id = t.execution_id LIMIT 1) IS NULL
          AND (SELECT true FROM validation_executions e WHERE e.id = t.execution_id LIMIT 1) IS NULL
          AND (SELECT true FROM mitigation_executions e WHERE e.id = t.execution_id LIMIT 1) IS NULL`;
  return connection.any(sql.prepared(`list_old_run_tombstones.${kind}`, oldRun)`
    SELECT t.run_id AS id, ${positionOf(sql.fragment`t.created_at`)} AS at FROM ${table} t
    WHERE t.created_at < now() - make_interval(days => ${days}) AND ${isOver}
      AND NOT EXISTS (SELECT FROM inbox_runs i WHERE i.run_id = t.run_id)
      AND (t.created_at, t.run_id) > (${after.at}::timestamptz, ${after.id}::uuid)
    ORDER BY t.created_at, t.run_id
    LIMIT ${limit}
  `);
}

/** @returns how many there were */
export async function deleteRunTombstones(
  connection: Connection,
  kind: RunTombstoneKind,
  runIds: readonly string[],
): Promise<number> {
  const table = kind === 'buried' ? sql.fragment`run_tombstones` : sql.fragment`duplicate_runs`;
  const { rowCount } = await connection.query(sql.prepared(`delete_run_tombstones.${kind}`, z.object({}))`
    DELETE FROM ${table} WHERE run_id = ANY(${sql.array([...runIds], 'uuid')})
  `);
  return rowCount;
}

const NOBODY = '00000000-0000-0000-0000-000000000000';

export interface OldSlot {
  readonly customerId: string;
  readonly slot: string;
  readonly at: string;
}

const oldSlot = z.object({ customerId: z.string(), slot: z.string(), at: z.string() });

/** Slots whose last deletion is longer ago than so many days, the oldest first; none for which something waits in the inbox. */
export function listOldSlotTombstones(
  connection: Connection,
  {
    days,
    after,
    limit,
  }: { readonly days: number; readonly after: OldSlot | undefined; readonly limit: number },
): Promise<readonly OldSlot[]> {
  return connection.any(sql.prepared('list_old_slot_tombstones', oldSlot)`
    SELECT t.customer_id AS "customerId", t.slot, ${positionOf(sql.fragment`t.created_at`)} AS at
    FROM slot_tombstones t
    WHERE t.created_at < now() - make_interval(days => ${days})
      AND NOT EXISTS (SELECT FROM inbox_runs i WHERE i.customer_id = t.customer_id AND i.slot = t.slot)
      AND (t.created_at, t.customer_id, t.slot)
        > (${after?.at ?? '-infinity'}::timestamptz, ${after?.customerId ?? NOBODY}::uuid, ${after?.slot ?? ''})
    ORDER BY t.created_at, t.customer_id, t.slot
    LIMIT ${limit}
  `);
}

/** One that was renewed meanwhile stays. @returns how many there were */
export async function deleteSlotTombstones(
  connection: Connection,
  slots: readonly OldSlot[],
  days: number,
): Promise<number> {
  const { rowCount } = await connection.query(sql.prepared('delete_slot_tombstones', z.object({}))`
    DELETE FROM slot_tombstones t
    USING unnest(
      ${sql.array(
        slots.map(({ customerId }) => customerId),
        'uuid',
      )},
      ${sql.array(
        slots.map(({ slot }) => slot),
        'text',
      )}
    ) AS old (customer_id, slot)
    WHERE t.customer_id = old.customer_id AND t.slot = old.slot
      AND t.created_at < now() - make_interval(days => ${days})
  `);
  return rowCount;
}
