import { type FragmentSqlToken, sql } from 'slonik';
import { z } from 'zod';
import type { Connection } from './database.ts';
import { executionsOf } from './executions-table.ts';
import { shareLegalHolds } from './legal-holds.ts';
import { positionOf } from './page.ts';
import {
  cutoffOf,
  daysOf,
  dueTables,
  type ExecutionScope,
  isDue,
  type Removed,
  slotOfRow,
} from './retention-due.ts';

/** Where a round goes on: after this row, by age and id. */
export interface RetentionPosition {
  readonly at: string;
  readonly id: string;
}

export interface RetentionBatch extends Removed {
  /** Undefined: nothing is left. */
  readonly next: RetentionPosition | undefined;
}

export const BEGINNING: RetentionPosition = { at: '-infinity', id: '00000000-0000-0000-0000-000000000000' };

/** Customers that have rows of a phase which are too old, or are held; who has the oldest comes first. */
export async function listOverdueCustomers(
  connection: Connection,
  scope: Omit<ExecutionScope, 'customerId'>,
): Promise<readonly string[]> {
  const row = z.object({ customerId: z.string() });
  const name = `list_overdue_customers.${scope.phase}_${scope.loss}`;
  const withData = sql.fragment`AND e.data_dropped_at IS NULL AND e.status IN ('completed', 'failed')`;
  const rows = await connection.any(sql.prepared(name, row)`
    SELECT c.id AS "customerId"
    FROM customers c
    CROSS JOIN LATERAL (
      SELECT e.updated_at AS at FROM ${executionsOf(scope.phase)} e
      WHERE e.customer_id = c.id ${scope.loss === 'payloads' ? withData : sql.fragment``}
      ORDER BY e.updated_at, e.id LIMIT 1
    ) AS oldest
    CROSS JOIN LATERAL (SELECT ${daysOf(sql.fragment`c.id`, scope)} AS days) AS policy
    WHERE oldest.at < ${cutoffOf(sql.fragment`policy.days`)}
    ORDER BY oldest.at
  `);
  return rows.map(({ customerId }) => customerId);
}

/** What would go now. */
export function measureDueExecutions(connection: Connection, scope: ExecutionScope): Promise<Removed> {
  const row = z.object({ rows: z.number(), bytes: z.number() });
  return connection.one(sql.prepared(`measure_due_executions.${scope.phase}_${scope.loss}`, row)`
    WITH ${dueTables(scope)}
    SELECT count(*) AS rows, coalesce(sum(e.size_bytes) FILTER (WHERE e.data_dropped_at IS NULL), 0) AS bytes
    FROM ${executionsOf(scope.phase)} e
    WHERE ${isDue(scope)}
  `);
}

const batch = z.object({
  rows: z.number(),
  bytes: z.number(),
  seen: z.number(),
  at: z.string().nullable(),
  id: z.string().nullable(),
});

/**
 * Takes away the oldest runs that are due, or their data, in one short transaction. A run that goes leaves a tombstone, and
 * so does each that repeated it, so that no PhaseRun or retry brings it back. What somebody is at work on this moment
 * is left for the next round: nothing is waited for but a hold that is just being made.
 */
export async function purgeExecutions(
  connection: Connection,
  scope: ExecutionScope,
  { after, limit }: { readonly after: RetentionPosition; readonly limit: number },
): Promise<RetentionBatch> {
  const { rows, bytes, seen, at, id } = await connection.transaction(async (transaction) => {
    await shareLegalHolds(transaction);
    return takeAway(transaction, scope, { after, limit });
  });
  const isEnd = seen < limit || at === null || id === null;
  return { rows, bytes, next: isEnd ? undefined : { at, id } };
}

function takeAway(
  transaction: Connection,
  scope: ExecutionScope,
  { after, limit }: { readonly after: RetentionPosition; readonly limit: number },
): Promise<z.infer<typeof batch>> {
  const { customerId, phase, loss } = scope;
  const table = executionsOf(phase);
  return transaction.one(sql.prepared(`purge_executions.${phase}_${loss}`, batch)`
    WITH ${dueTables(scope)}, due AS MATERIALIZED (
      SELECT e.id, e.repository_id, e.commit_sha, e.issue_number, e.updated_at
      FROM ${table} e
      WHERE ${isDue(scope)} AND (e.updated_at, e.id) > (${after.at}::timestamptz, ${after.id}::uuid)
      ORDER BY e.updated_at, e.id
      LIMIT ${limit}
      FOR UPDATE OF e SKIP LOCKED
    ), idle AS MATERIALIZED (
      SELECT e.id FROM due e JOIN repositories r ON r.id = e.repository_id
      WHERE pg_try_advisory_xact_lock(hashtextextended(${customerId} || ' ' || ${slotOfRow(phase)}, 0))
    ), ${loss === 'executions' ? purge(scope) : drop(scope)}, audited AS (
      INSERT INTO audit_events (customer_id, event_type, metadata)
      SELECT ${customerId}::uuid, ${loss === 'executions' ? 'retention.purged' : 'retention.data_dropped'},
        jsonb_build_object(
          'kind', ${loss}::text, 'phase', ${phase}::text, 'rows', count(*), 'bytes', coalesce(sum(bytes), 0),
          'before', (SELECT cutoff FROM policy)
        )
      FROM removed HAVING count(*) > 0
    ), last AS (
      SELECT updated_at, id FROM due ORDER BY updated_at DESC, id DESC LIMIT 1
    )
    SELECT
      (SELECT count(*) FROM removed) AS rows,
      (SELECT coalesce(sum(bytes), 0) FROM removed) AS bytes,
      (SELECT count(*) FROM due) AS seen,
      (SELECT ${positionOf(sql.fragment`updated_at`)} FROM last) AS at,
      (SELECT id FROM last) AS id
  `);
}

function purge({ customerId, phase }: ExecutionScope): FragmentSqlToken {
  return sql.fragment`removed AS (
      DELETE FROM ${executionsOf(phase)} e USING idle
      WHERE e.id = idle.id AND e.customer_id = ${customerId}
      RETURNING e.id, e.sha256, CASE WHEN e.data_dropped_at IS NULL THEN e.size_bytes ELSE 0 END AS bytes
    ), repeated AS (
      DELETE FROM duplicate_runs d USING idle
      WHERE d.execution_id = idle.id AND d.customer_id = ${customerId}
      RETURNING d.run_id, d.sha256
    ), buried AS (
      INSERT INTO run_tombstones (run_id, customer_id, reason, sha256)
      SELECT id, ${customerId}::uuid, 'purged', sha256 FROM (
        SELECT id, sha256 FROM removed UNION ALL SELECT run_id, sha256 FROM repeated
      ) AS gone
      ON CONFLICT DO NOTHING
    )`;
}

function drop({ customerId, phase }: ExecutionScope): FragmentSqlToken {
  return sql.fragment`removed AS (
      UPDATE ${executionsOf(phase)} e SET data = '{}', data_dropped_at = now()
      FROM idle
      WHERE e.id = idle.id AND e.customer_id = ${customerId}
      RETURNING e.size_bytes AS bytes
    )`;
}

/** How old the oldest execution is, in seconds; 0 when there is none. */
export async function measureOldestExecution(connection: Connection): Promise<number> {
  const row = z.object({ age: z.number() });
  const tables = (['scan', 'validation', 'mitigation'] as const).map(
    (phase) => sql.fragment`
      SELECT (SELECT e.updated_at FROM ${executionsOf(phase)} e WHERE e.customer_id = c.id ORDER BY e.updated_at, e.id LIMIT 1)
      FROM customers c`,
  );
  const { age } = await connection.one(sql.prepared('measure_oldest_execution', row)`
    SELECT coalesce(extract(epoch FROM now() - min(at)), 0)::float8 AS age
    FROM (${sql.join(tables, sql.fragment` UNION ALL `)}) AS oldest (at)
  `);
  return age;
}
