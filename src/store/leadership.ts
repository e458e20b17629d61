import { setTimeout as sleep } from 'node:timers/promises';
import { type DatabaseTransactionConnection, sql } from 'slonik';
import { z } from 'zod';
import type { Connection } from './database.ts';
import { DatabaseError } from './errors.ts';

/** First key of the advisory locks that the transactions of a leader hold; the second is its epoch. */
export const EPOCH_LOCKS = 0x70_68_72;

/** How long the transactions of an earlier leader may take to end by themselves. */
const PATIENCE_MS = 500;
const LOOK_AGAIN_MS = 25;

const nothing = z.object({});

/** Somebody else leads by now: what was still to be written is no longer this controller's to write. */
export class StaleLeaderError extends DatabaseError {
  constructor(epoch: number | undefined) {
    super('stale_leader', undefined, new Error(`another controller leads since epoch ${epoch ?? 'unknown'}`));
  }
}

/**
 * The terms of one controller as the leader, as Postgres counts them. The lease says who is to lead; but a controller that
 * was frozen does not know that it has lost it. Here that is found out where it matters: a transaction of another epoch
 * than the current one writes nothing.
 *
 * It takes two statements. The first takes a shared lock on the transaction's epoch; the second, which sees all that was
 * committed before the lock was there, reads which epoch is the current one. Who begins a term commits its epoch and then
 * waits until no lock on an earlier one is held. So from then on no transaction of before can commit.
 */
export class Leadership {
  /** For what the leader does beside archiving: each statement or transaction is of the current term, or fails. */
  readonly connection: Connection;
  readonly #pool: Connection;
  #term: { readonly epoch: number; readonly superseded: AbortController } | undefined;

  constructor(pool: Connection) {
    this.#pool = pool;
    const fenced = <T>(work: (transaction: DatabaseTransactionConnection) => Promise<T>): Promise<T> =>
      this.during((epoch) =>
        pool.transaction(async (transaction) => {
          await holdEpoch(transaction, epoch);
          return work(transaction);
        }),
      );
    this.connection = {
      any: (query) => fenced((transaction) => transaction.any(query)),
      maybeOne: (query) => fenced((transaction) => transaction.maybeOne(query)),
      one: (query) => fenced((transaction) => transaction.one(query)),
      query: (query) => fenced((transaction) => transaction.query(query)),
      transaction: (body) => fenced(body),
    };
  }

  /**
   * Begins a term: whoever led before writes nothing from now on.
   * @returns a signal that aborts when it is found that somebody else has begun one since
   * @throws DatabaseError, or the reason of the given signal
   */
  async begin(signal: AbortSignal): Promise<AbortSignal> {
    const epoch = await raiseEpoch(this.#pool);
    await endEarlierTransactions(this.#pool, epoch, signal);
    const superseded = new AbortController();
    this.#term = { epoch, superseded };
    return superseded.signal;
  }

  /**
   * Does work of the current term, which has to hold to its epoch.
   * @throws StaleLeaderError when there is none, or it is over; and what the work throws
   */
  async during<T>(work: (epoch: number) => Promise<T>): Promise<T> {
    const term = this.#term;
    if (term === undefined || term.superseded.signal.aborted) throw new StaleLeaderError(term?.epoch);
    try {
      return await work(term.epoch);
    } catch (error) {
      if (error instanceof StaleLeaderError) term.superseded.abort(error);
      throw error;
    }
  }
}

/** The first statements of a transaction of this epoch. @throws StaleLeaderError when it is not the current one */
export async function holdEpoch(transaction: Connection, epoch: number): Promise<void> {
  await transaction.query(sql.prepared('lock_epoch', nothing)`
    SELECT FROM pg_advisory_xact_lock_shared(${EPOCH_LOCKS}, ${epoch})
  `);
  const row = z.object({ epoch: z.number() });
  const current = await transaction.maybeOne(sql.prepared('find_epoch', row)`SELECT epoch FROM leadership`);
  requireEpoch(epoch, current?.epoch);
}

/** @throws StaleLeaderError when the epoch of a transaction is not the current one, which it has read under its lock */
export function requireEpoch(epoch: number, current: number | null | undefined): void {
  if (epoch !== current) throw new StaleLeaderError(current ?? undefined);
}

async function raiseEpoch(pool: Connection): Promise<number> {
  const { epoch } = await pool.one(sql.prepared('raise_epoch', z.object({ epoch: z.number() }))`
    INSERT INTO leadership (epoch) VALUES (1)
    ON CONFLICT (only_row) DO UPDATE SET epoch = leadership.epoch + 1, raised_at = now()
    RETURNING epoch
  `);
  return epoch;
}

/**
 * A leader that works ends its transactions by itself; those of a frozen one would hold the locks of their slots until the
 * server loses its patience with them.
 */
async function endEarlierTransactions(pool: Connection, epoch: number, signal: AbortSignal): Promise<void> {
  for (let waitedMs = 0; await countEarlier(pool, epoch, waitedMs >= PATIENCE_MS); waitedMs += LOOK_AGAIN_MS)
    await sleep(LOOK_AGAIN_MS, undefined, { signal });
}

/** How many transactions of earlier epochs are under way; on demand each is ended. */
async function countEarlier(pool: Connection, epoch: number, end: boolean): Promise<number> {
  const { open } = await pool.one(sql.prepared('end_earlier_epochs', z.object({ open: z.number() }))`
    WITH earlier AS MATERIALIZED (
      SELECT pid FROM pg_locks
      WHERE locktype = 'advisory' AND granted AND objsubid = 2
        AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
        AND classid = ${EPOCH_LOCKS}::integer::oid AND objid::bigint < ${epoch}::bigint
    )
    SELECT count(CASE WHEN ${end}::boolean THEN pg_terminate_backend(pid) ELSE true END) AS open FROM earlier
  `);
  return open;
}
