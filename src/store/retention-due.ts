import { type FragmentSqlToken, sql } from 'slonik';
import type { Phase } from '../domain/phase.ts';
import type { RetentionPolicy } from '../domain/retention.ts';

/** The two things that executions lose with age: themselves, and before that perhaps their data. */
export type ExecutionLoss = 'executions' | 'payloads';

/** Whose runs of which phase, and how long they are kept where the customer has no policy of its own. */
export interface ExecutionScope {
  readonly customerId: string;
  readonly phase: Phase;
  readonly loss: ExecutionLoss;
  readonly defaults: RetentionPolicy;
}

/**
 * Days for which a customer's runs are kept, as of now: a policy that has just been made counts in the next statement.
 * @param customer SQL of its id
 */
export function daysOf(
  customer: FragmentSqlToken,
  { phase, loss, defaults }: Omit<ExecutionScope, 'customerId'>,
): FragmentSqlToken {
  const [column, fallback] =
    loss === 'executions'
      ? [sql.fragment`p.execution_days`, defaults.executionDays]
      : [sql.fragment`p.payload_days`, defaults.payloadDays];
  return sql.fragment`coalesce(
    (SELECT ${column} FROM retention_policies p WHERE p.customer_id = ${customer} AND p.phase = ${phase}),
    (SELECT ${column} FROM retention_policies p WHERE p.customer_id = ${customer} AND p.phase IS NULL),
    ${fallback}::integer
  )`;
}

/** Before when is too old; never, where days are 0. */
export function cutoffOf(days: FragmentSqlToken): FragmentSqlToken {
  return sql.fragment`CASE ${days} WHEN 0 THEN '-infinity' ELSE now() - make_interval(days => ${days}) END`;
}

/** CTEs that {@link isDue} reads: `policy` and `held`. */
export function dueTables(scope: ExecutionScope): FragmentSqlToken {
  const { customerId, loss } = scope;
  const daysUntil = (what: ExecutionLoss) => daysOf(sql.fragment`${customerId}`, { ...scope, loss: what });
  return sql.fragment`policy AS MATERIALIZED (
      SELECT ${cutoffOf(sql.fragment`days`)} AS cutoff, ${cutoffOf(sql.fragment`row_days`)} AS row_cutoff
      FROM (SELECT ${daysUntil(loss)} AS days, ${daysUntil('executions')} AS row_days) d
    ), held AS MATERIALIZED (
      SELECT r.id AS repository_id, h.issue_number
      FROM legal_holds h
      LEFT JOIN repositories r ON r.customer_id = h.customer_id
        AND r.forge_type = h.forge_type AND r.namespace = h.namespace AND r.name = h.name
      WHERE h.customer_id = ${customerId} AND (h.name IS NULL OR r.id IS NOT NULL)
    )`;
}

/** Whether execution `e` is too old, no younger run stands on it, and no hold is upon it. */
export function isDue({ customerId, loss }: ExecutionScope): FragmentSqlToken {
  const isThisLoss =
    loss === 'executions'
      ? sql.fragment`true`
      : // What may still move forward may need its data for that; and what is about to go needs no such trouble.
        sql.fragment`e.data_dropped_at IS NULL AND e.status IN ('completed', 'failed')
          AND NOT ${isBefore(sql.fragment`(SELECT row_cutoff FROM policy)`)}`;
  return sql.fragment`e.customer_id = ${customerId} AND ${isBefore(sql.fragment`(SELECT cutoff FROM policy)`)} AND ${isThisLoss}
    AND NOT EXISTS (
      SELECT FROM held h
      WHERE (h.repository_id IS NULL OR h.repository_id = e.repository_id)
        AND (h.issue_number IS NULL OR h.issue_number = e.issue_number)
    )`;
}

/**
 * Whether execution `e`, and every run that repeated it, are of before a time. LIMIT has the index asked for each row, where
 * NOT EXISTS would have the whole table read for each batch.
 */
function isBefore(cutoff: FragmentSqlToken): FragmentSqlToken {
  return sql.fragment`(
    e.updated_at < ${cutoff}
    AND (SELECT true FROM duplicate_runs d WHERE d.execution_id = e.id AND d.created_at >= ${cutoff} LIMIT 1) IS NULL
  )`;
}

/** Text of the slot of execution `e` of repository `r`, as `slotOf` makes it. */
export function slotOfRow(phase: Phase): FragmentSqlToken {
  const key =
    phase === 'scan'
      ? sql.fragment`coalesce('@' || e.commit_sha, '?issue=' || e.issue_number)`
      : sql.fragment`'#' || e.issue_number`;
  return sql.fragment`r.forge_type || '/' || r.namespace || '/' || r.name || ${key}`;
}

/** How many rows went or would go, and how much data with them. */
export interface Removed {
  readonly rows: number;
  readonly bytes: number;
}
