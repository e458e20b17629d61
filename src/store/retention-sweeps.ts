import { type FragmentSqlToken, sql } from 'slonik';
import { z } from 'zod';
import type { Connection } from './database.ts';
import { shareLegalHolds } from './legal-holds.ts';
import { positionOf } from './page.ts';
import type { RetentionPosition } from './retention-executions.ts';

/** What goes by its age alone, by the same rule for every customer. */
export const SWEPT_KINDS = ['sessions', 'tasks', 'approvals', 'quarantined'] as const;
export type SweptKind = (typeof SWEPT_KINDS)[number];

export interface SweptBatch {
  readonly rows: number;
  /** Undefined: nothing is left. */
  readonly next: RetentionPosition | undefined;
}

interface Sweep {
  readonly table: FragmentSqlToken;
  readonly id: FragmentSqlToken;
  /** What its age is counted from. */
  readonly at: FragmentSqlToken;
  /** Whether row `t` of that age may go, before `cutoff`. */
  readonly isOver: (cutoff: FragmentSqlToken) => FragmentSqlToken;
  /** Whether hold `h` of the customer is upon row `t`. */
  readonly isHeldBy: FragmentSqlToken;
}

/** LIMIT has the index asked for each row, where EXISTS would have whole tables read for each batch. */
const hasExecutions = sql.join(
  (['scan', 'validation', 'mitigation'] as const).map(
    (phase) =>
      sql.fragment`(SELECT true FROM ${sql.identifier([`${phase}_executions`])} e WHERE e.session_id = t.id LIMIT 1) IS NOT NULL`,
  ),
  sql.fragment` OR `,
);

const SWEEPS: Readonly<Record<SweptKind, Sweep>> = {
  sessions: {
    table: sql.fragment`sessions`,
    id: sql.fragment`t.id`,
    at: sql.fragment`t.updated_at`,
    isOver: () => sql.fragment`t.status IN ('completed', 'failed', 'expired') AND NOT (${hasExecutions})`,
    isHeldBy: sql.fragment`h.name IS NULL OR (
      t.repository_id = (
        SELECT r.id FROM repositories r
        WHERE r.customer_id = h.customer_id
          AND r.forge_type = h.forge_type AND r.namespace = h.namespace AND r.name = h.name
      )
      AND (h.issue_number IS NULL OR t.subject IN ('issue/' || h.issue_number, 'scan-issue/' || h.issue_number))
    )`,
  },
  tasks: {
    table: sql.fragment`tasks`,
    id: sql.fragment`t.id`,
    at: sql.fragment`t.created_at`,
    isOver: () => sql.fragment`NOT EXISTS (
      SELECT FROM sessions s
      WHERE s.customer_id = t.customer_id AND s.task_id = t.id AND s.status IN ('pending', 'active')
    )`,
    isHeldBy: sql.fragment`h.name IS NULL`,
  },
  approvals: {
    table: sql.fragment`approvals`,
    id: sql.fragment`t.id`,
    at: sql.fragment`t.created_at`,
    isOver: (cutoff) => sql.fragment`(t.decision_at IS NULL OR t.decision_at < ${cutoff})`,
    isHeldBy: sql.fragment`h.name IS NULL`,
  },
  quarantined: {
    table: sql.fragment`quarantined_runs`,
    id: sql.fragment`t.run_id`,
    at: sql.fragment`t.created_at`,
    isOver: () => sql.fragment`true`,
    // Of what could not be read, nobody knows for sure which issue it is of.
    isHeldBy: sql.fragment`h.name IS NULL
      OR regexp_replace(t.slot, '[@#?].*$', '') = h.forge_type || '/' || h.namespace || '/' || h.name`,
  },
};

function isDue({ at, isOver, isHeldBy }: Sweep, days: number): FragmentSqlToken {
  const cutoff = sql.fragment`(now() - make_interval(days => ${days}))`;
  return sql.fragment`${at} < ${cutoff} AND ${isOver(cutoff)}
    AND (SELECT true FROM legal_holds h WHERE h.customer_id = t.customer_id AND (${isHeldBy}) LIMIT 1) IS NULL`;
}

/**
 * Deletes the oldest rows of a kind that are older than so many days, over customers, each of whose audit says how many of
 * its own went. What somebody holds this moment is left for the next time.
 */
export async function sweepOld(
  connection: Connection,
  kind: SweptKind,
  {
    days,
    after,
    limit,
  }: { readonly days: number; readonly after: RetentionPosition; readonly limit: number },
): Promise<SweptBatch> {
  const sweep = SWEEPS[kind];
  const { table, id, at } = sweep;
  const batch = z.object({
    rows: z.number(),
    seen: z.number(),
    at: z.string().nullable(),
    id: z.string().nullable(),
  });
  const {
    rows,
    seen,
    at: lastAt,
    id: lastId,
  } = await connection.transaction(async (transaction) => {
    await shareLegalHolds(transaction);
    return transaction.one(sql.prepared(`sweep_old.${kind}`, batch)`
      WITH due AS MATERIALIZED (
        SELECT ${id} AS id, ${at} AS at FROM ${table} t
        WHERE ${isDue(sweep, days)} AND (${at}, ${id}) > (${after.at}::timestamptz, ${after.id}::uuid)
        ORDER BY ${at}, ${id}
        LIMIT ${limit}
        FOR UPDATE OF t SKIP LOCKED
      ), removed AS (
        DELETE FROM ${table} t USING due WHERE ${id} = due.id RETURNING t.customer_id
      ), audited AS (
        INSERT INTO audit_events (customer_id, event_type, metadata)
        SELECT customer_id, 'retention.purged',
          jsonb_build_object('kind', ${kind}::text, 'rows', count(*), 'before', now() - make_interval(days => ${days}))
        FROM removed GROUP BY customer_id
      ), last AS (
        SELECT at, id FROM due ORDER BY at DESC, id DESC LIMIT 1
      )
      SELECT (SELECT count(*) FROM removed) AS rows, (SELECT count(*) FROM due) AS seen,
        (SELECT ${positionOf(sql.fragment`at`)} FROM last) AS at, (SELECT id FROM last) AS id
    `);
  });
  const isEnd = seen < limit || lastAt === null || lastId === null;
  return { rows, next: isEnd ? undefined : { at: lastAt, id: lastId } };
}

/** Of whom how many rows of a kind would go. */
export function measureSweep(
  connection: Connection,
  kind: SweptKind,
  days: number,
): Promise<readonly { readonly customerId: string; readonly rows: number }[]> {
  const row = z.object({ customerId: z.string(), rows: z.number() });
  const sweep = SWEEPS[kind];
  return connection.any(sql.prepared(`measure_sweep.${kind}`, row)`
    SELECT t.customer_id AS "customerId", count(*) AS rows FROM ${sweep.table} t
    WHERE ${isDue(sweep, days)} GROUP BY t.customer_id
  `);
}
