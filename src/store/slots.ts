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
  slot: Pick<ArchivableRun, 'customerId' | 'slot'>,
  epoch?: number,
): Promise<void> {
  await connection.one(sql.prepared('lock_slot', nothing)`
    SELECT FROM
      pg_advisory_xact_lock_shared(${EPOCH_LOCKS}, ${epoch ?? null}::integer),
      pg_advisory_xact_lock(hashtextextended(${lockKey(slot)}, 0))
  `);
}

function lockKey({ customerId, slot }: Pick<ArchivableRun, 'customerId' | 'slot'>): string {
  return `${customerId} ${slot}`;
}

const lockedSlot = z.object({ position: z.number() });

/** How long a transaction of several slots waits for a row that somebody else holds: less than it takes to find a deadlock. */
const LOCK_TIMEOUT_MS = 200;

/**
 * Locks, as {@link lockSlot} does, those of the runs' slots that nobody else works on, and waits for none. Nor will the
 * transaction wait long for any row: it fails with 55P03.
 * @returns the runs whose slots are locked, in their order
 */
export async function tryLockSlots(
  connection: Connection,
  runs: readonly ArchivableRun[],
  epoch?: number,
): Promise<readonly ArchivableRun[]> {
  const locked = await connection.any(sql.prepared('try_lock_slots', lockedSlot)`
    SELECT key.position
    FROM
      set_config('lock_timeout', ${`${LOCK_TIMEOUT_MS}ms`}, true),
      pg_advisory_xact_lock_shared(${EPOCH_LOCKS}, ${epoch ?? null}::integer),
      unnest(${sql.array(runs.map(lockKey), 'text')}) WITH ORDINALITY AS key (slot, position)
    WHERE pg_try_advisory_xact_lock(hashtextextended(key.slot, 0))
  `);
  const positions = new Set(locked.map(({ position }) => position));
  return runs.filter((_, index) => positions.has(index + 1));
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
