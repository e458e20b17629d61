import { type FragmentSqlToken, sql } from 'slonik';
import { z } from 'zod';
import type { Phase } from '../domain/phase.ts';
import type { RepositoryName } from '../domain/run.ts';
import { type RunSubject, slotOf } from '../domain/slot.ts';
import type { Connection } from './database.ts';
import { executionsOf, inSlot } from './executions-table.ts';

/** {@link order}, or any place after it and before {@link below}, until one is free. */
export interface LatePlace {
  readonly order: number;
  readonly below: number;
}

/** What is to be placed: when its sender had it, by the sender's clock. */
export interface LateRun extends RunSubject {
  readonly customerId: string;
  readonly repository: RepositoryName;
  /** RFC 3339. */
  readonly storedAt: string;
}

/** In a slot with more rows than this, what is older than so many is older than all. */
const ROWS_LOOKED_AT = 1_000;

/**
 * Finds the place of a run that was stored elsewhere before it came here: before the first run of its slot that arrived
 * after that moment, behind all others. So it is the newest only where nothing has arrived since.
 *
 * Only runs that came straight here, which have a place of the sequence (a multiple of 1,024), say when something
 * arrived. Late ones lie in the gap behind such a place, in the order in which they come, and clients send them oldest
 * first. One whose first try drew a place of the sequence, and was cut off, has that; it arrived when its key did. What
 * became a row later, having waited for an outage to end, arrived before any that has a greater place and is known to have arrived
 * in time, since the sequence counts up. Only what came without a key, and is a PhaseRun but no row yet, is not known here.
 * A deletion is an arrival too: what is before it stores nothing.
 */
export function findLatePlace(connection: Connection, run: LateRun): Promise<LatePlace> {
  const place = z.object({ order: z.number(), below: z.number() });
  const scanByIssue = run.phase === 'scan' && run.commitSha === undefined;
  const variant = scanByIssue ? 'scan_by_issue' : run.phase;
  return connection.one(sql.prepared(`find_late_place.${variant}`, place)`
    WITH placed AS MATERIALIZED (
      ${rowsOf(run)}
    ), deletion AS MATERIALIZED (
      SELECT up_to_order, created_at > ${run.storedAt}::timestamptz AS is_later FROM slot_tombstones
      WHERE customer_id = ${run.customerId} AND slot = ${slotOf(run)}
    ), known AS (
      SELECT greatest(
        0,
        (SELECT max(run_order) FROM placed WHERE updated_at <= ${run.storedAt}::timestamptz)
      ) AS run_order
    ), arrival AS (
      SELECT least(
        (
          SELECT min(run_order) FROM placed
          WHERE updated_at > ${run.storedAt}::timestamptz AND run_order % 1024 = 0
            AND run_order > (SELECT run_order FROM known)
        ),
        (SELECT up_to_order FROM deletion WHERE is_later)
      ) AS run_order
    ), neighbour AS (
      SELECT greatest(
        0,
        (SELECT max(p.run_order) FROM placed p, arrival a WHERE a.run_order IS NULL OR p.run_order < a.run_order),
        (SELECT up_to_order FROM deletion WHERE NOT is_later)
      ) AS run_order
    ), gap AS (
      SELECT n.run_order AS begins, least(a.run_order, (n.run_order / 1024 + 1) * 1024) AS ends
      FROM neighbour n, arrival a
    )
    -- In a full gap it stands beside the last one.
    SELECT least(begins + 1, ends - 1) AS "order", ends AS below FROM gap
  `);
}

/**
 * Validations and mitigations share a slot. What waits in the inbox is going to be a row; so is what came with a key, which
 * in between is but a PhaseRun.
 */
function rowsOf(run: LateRun): FragmentSqlToken {
  const phases: readonly Phase[] = run.phase === 'scan' ? ['scan'] : ['validation', 'mitigation'];
  const { forge, namespace, name } = run.repository;
  const tables = phases.map(
    (phase) => sql.fragment`(
      SELECT e.run_order, e.updated_at FROM ${executionsOf(phase)} e
      WHERE e.customer_id = ${run.customerId}
        AND e.repository_id = (
          SELECT id FROM repositories
          WHERE customer_id = ${run.customerId} AND forge_type = ${forge} AND namespace = ${namespace} AND name = ${name}
        )
        AND ${inSlot(run)}
      ORDER BY e.run_order DESC LIMIT ${ROWS_LOOKED_AT}
    )`,
  );
  const inbox = sql.fragment`(
    SELECT run_order, created_at AS updated_at FROM inbox_runs
    WHERE customer_id = ${run.customerId} AND slot = ${slotOf(run)}
    ORDER BY run_order DESC LIMIT ${ROWS_LOOKED_AT}
  )`;
  const keys = sql.fragment`(
    SELECT run_order, created_at AS updated_at FROM idempotency_keys
    WHERE customer_id = ${run.customerId} AND slot = ${slotOf(run)} AND run_order IS NOT NULL
    ORDER BY run_order DESC LIMIT ${ROWS_LOOKED_AT}
  )`;
  return sql.fragment`${sql.join([...tables, inbox, keys], sql.fragment` UNION ALL `)}`;
}
