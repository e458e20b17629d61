import { sql } from 'slonik';
import { z } from 'zod';
import type { ArchivableRun } from '../domain/run.ts';
import type { Connection } from './database.ts';
import { EPOCH_LOCKS } from './leadership.ts';

const nothing = z.object({});
const drawn = z.object({ order: z.number() });

/**
 * Waits until no other transaction works on this slot; held to the end of this one. A leader's transaction takes the lock on
 * its epoch by the same statement (leadership.ts); without an epoch that function does nothing.
 */
export async function lockSlot(
  connection: Connection,
  { customerId, slot }: Pick<ArchivableRun, 'customerId' | 'slot'>,
  epoch?: number,
): Promise<void> {
  await connection.one(sql.prepared('lock_slot', nothing)`
    SELECT FROM
      pg_advisory_xact_lock_shared(${EPOCH_LOCKS}, ${epoch ?? null}::integer),
      pg_advisory_xact_lock(hashtextextended(${`${customerId} ${slot}`}, 0))
  `);
}

/** The next place, after every one that was given before. */
export async function drawRunOrder(connection: Connection): Promise<number> {
  const { order } = await connection.one(sql.prepared('draw_run_order', drawn)`
    SELECT nextval('run_order') AS "order"
  `);
  return order;
}

const BATCH = 1_000_000;

/**
 * Draws places until they are above this one. After a restore the sequence lies behind what live objects hold. Drawing
 * takes it forward alone, whoever else draws at the same moment.
 */
export async function raiseRunOrder(connection: Connection, above: number): Promise<void> {
  let reached: number;
  do {
    ({ reached } = await connection.one(sql.prepared('raise_run_order', z.object({ reached: z.number() }))`
      SELECT coalesce(max(nextval('run_order')), (SELECT last_value FROM run_order)) AS reached
      FROM generate_series(1, (
        SELECT least(${BATCH}, (${above}::bigint - last_value) / 1024 + 1) FROM run_order WHERE last_value <= ${above}::bigint
      ))
    `));
  } while (reached <= above);
}
