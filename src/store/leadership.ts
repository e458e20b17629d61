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

/** A time of leading, over one database. */
export interface Term {
  readonly epoch: number;
  /** `database_incarnation()`: a term ends with its database, even where a restored one counts the same epoch. */
  readonly incarnation: string;
}

/** The term is over: what was still to be written is for the next one to write, whoever's it is. */
export class StaleLeaderError extends DatabaseError {
  constructor(message: string) {
    super('stale_leader', undefined, new Error(message));
  }
}

/**
 * The terms of one controller as the leader, as Postgres counts them. The lease says who is to lead; but a controller that
 * was frozen does not know that it has lost it. Here that is found out where it matters: a transaction of another epoch
 * than the current one, or over another database than the one that it was counted in, writes nothing.
 *
 * It takes two statements. The first takes a shared lock on the transaction's epoch; the second, which sees all that was
 * committed before the lock was there, reads which epoch is the current one. Who begins a term commits its epoch and then
 * waits until no lock on an earlier one is held. So from then on no transaction of before can commit.
 */
export class Leadership {
  /** For what the leader does beside archiving: each statement or transaction is of the current term, or fails. */
  readonly connection: Connection;
  readonly #pool: Connection;
  #current: { readonly term: Term; readonly over: AbortController } | undefined;

  constructor(pool: Connection) {
    this.#pool = pool;
    const fenced = <T>(work: (transaction: DatabaseTransactionConnection) => Promise<T>): Promise<T> =>
      this.during((term) =>
        pool.transaction(async (transaction) => {
          await holdTerm(transaction, term);
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
   * @returns the incarnation, and a signal that aborts when the term is found to be over
   * @throws DatabaseError, or the reason of the given signal
   */
  async begin(signal: AbortSignal): Promise<{ readonly incarnation: string; readonly over: AbortSignal }> {
    const term = await raiseEpoch(this.#pool);
    await endEarlierTransactions(this.#pool, term.epoch, signal);
    const over = new AbortController();
    this.#current = { term, over };
    return { incarnation: term.incarnation, over: over.signal };
  }

  /**
   * Does work of the current term, which has to hold to it.
   * @throws StaleLeaderError when there is none, or it is over; and what the work throws
   */
  async during<T>(work: (term: Term) => Promise<T>): Promise<T> {
    if (this.#current === undefined) throw new StaleLeaderError('this controller has not begun to lead');
    const { term, over } = this.#current;
    if (over.signal.aborted) throw new StaleLeaderError('this controller leads no more');
    try {
      return await work(term);
    } catch (error) {
      if (error instanceof StaleLeaderError) over.abort(error);
      throw error;
    }
  }
}

const currentTerm = z.object({ epoch: z.number().nullable(), incarnation: z.string() });

/** The first statements of a transaction of this term. @throws StaleLeaderError when it is over */
export async function holdTerm(transaction: Connection, term: Term): Promise<void> {
  await transaction.query(sql.prepared('lock_epoch', nothing)`
    SELECT FROM pg_advisory_xact_lock_shared(${EPOCH_LOCKS}, ${term.epoch})
  `);
  const current = await transaction.one(sql.prepared('get_term', currentTerm)`
    SELECT (SELECT epoch FROM leadership) AS epoch, database_incarnation() AS incarnation
  `);
  requireTerm(term, current);
}

/** @throws StaleLeaderError when the term of a transaction is not the current one, which it has read under its lock */
export function requireTerm(term: Term, current: z.infer<typeof currentTerm>): void {
  if (term.incarnation !== current.incarnation) throw new StaleLeaderError('the database is another one');
  if (term.epoch !== current.epoch) throw new StaleLeaderError(`epoch ${term.epoch} is over`);
}

function raiseEpoch(pool: Connection): Promise<Term> {
  const row = z.object({ epoch: z.number(), incarnation: z.string() });
  return pool.one(sql.prepared('raise_epoch', row)`
    INSERT INTO leadership (epoch) VALUES (1)
    ON CONFLICT (only_row) DO UPDATE SET epoch = leadership.epoch + 1, raised_at = now()
    RETURNING epoch, database_incarnation() AS incarnation
  `);
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
