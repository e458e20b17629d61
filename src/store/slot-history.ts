import { type FragmentSqlToken, sql } from 'slonik';
import { z } from 'zod';
import type { Phase } from '../domain/phase.ts';
import type { RepositoryName } from '../domain/run.ts';
import { type RunSubject, slotOf } from '../domain/slot.ts';
import type { Connection } from './database.ts';
import { executionsOf, inSlot } from './executions-table.ts';

/** A place in a slot that has moved on: {@link order}, or any after it and before {@link below}, until one is free. */
export interface HistoricPlace {
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

/** Of a slot with more rows than this it is history to be older than all of them. */
const ROWS_LOOKED_AT = 1_000;

/**
 * Finds the place of a run that was stored elsewhere before it came here: right before the first run of its slot that
 * arrived after that moment, and so never the newest. Runs that come late one after another keep their order: each goes
 * into the gap that the sequence leaves before that first run (no multiple of 1,024), behind those that are there.
 * A deletion since then is such a run, too: what is before it stores nothing.
 * @returns null when nothing arrived since, and the next place of the sequence is right
 */
export async function findHistoricPlace(connection: Connection, run: LateRun): Promise<HistoricPlace | null> {
  const place = z.object({ order: z.number().nullable(), below: z.number().nullable() });
  const scanByIssue = run.phase === 'scan' && run.commitSha === undefined;
  const variant = scanByIssue ? 'scan_by_issue' : run.phase;
  const { order, below } = await connection.one(sql.prepared(`find_historic_place.${variant}`, place)`
    WITH placed AS MATERIALIZED (
      ${rowsOf(run)}
    ), deletion AS MATERIALIZED (
      SELECT up_to_order, created_at > ${run.storedAt}::timestamptz AS later FROM slot_tombstones
      WHERE customer_id = ${run.customerId} AND slot = ${slotOf(run)}
    ), later AS (
      SELECT min(run_order) AS run_order FROM placed
      WHERE updated_at > ${run.storedAt}::timestamptz
        AND (run_order % 1024 = 0 OR run_order = (SELECT max(run_order) FROM placed))
    ), bounds AS (
      SELECT
        least(later.run_order, (SELECT up_to_order FROM deletion WHERE deletion.later)) AS below,
        coalesce((SELECT up_to_order FROM deletion WHERE NOT deletion.later), 0) AS floor
      FROM later
    )
    SELECT below, coalesce(
      (
        SELECT max(taken.run_order + 1)
        FROM (SELECT floor AS run_order UNION ALL SELECT run_order FROM placed WHERE run_order > floor) AS taken
        WHERE taken.run_order + 1 < below AND taken.run_order + 1 NOT IN (SELECT run_order FROM placed)
      ),
      below - 1
    ) AS "order"
    FROM bounds
  `);
  return order === null || below === null ? null : { order, below };
}

/** Validations and mitigations share a slot. */
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
  return sql.fragment`${sql.join(tables, sql.fragment` UNION ALL `)}`;
}
