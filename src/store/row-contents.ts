import { type FragmentSqlToken, sql } from 'slonik';
import { z } from 'zod';
import { PHASES, type Phase } from '../domain/phase.ts';
import type { Connection } from './database.ts';
import { executionsOf } from './executions-table.ts';

const rowContent = z.object({
  phase: z.enum(PHASES),
  id: z.string(),
  customerId: z.string(),
  /** Hex. */
  sha256: z.string(),
  data: z.record(z.string(), z.unknown()),
  /** The PhaseRun that brought it; it may be gone. */
  phaseRun: z.object({ namespace: z.string(), name: z.string() }),
});

export type RowContent = z.infer<typeof rowContent>;

export interface RowContentPage {
  readonly phase: Phase;
  /** The greatest id of the page before; absent: from the first. */
  readonly after?: string | undefined;
}

const FIRST_UUID = '00000000-0000-0000-0000-000000000000';
/** Of payloads on a page, which has one row in any case, and 200 at most. */
const PAGE_BYTES = 32 * 1024 * 1024;

/**
 * What rows hold and what their digest says that they hold, by id; those whose data retention took are passed over. None
 * are left when there is none on a page.
 */
export function listRowContents(
  connection: Connection,
  { phase, after = FIRST_UUID }: RowContentPage,
): Promise<readonly RowContent[]> {
  return connection.any(sql.prepared(`list_row_contents.${phase}`, rowContent)`
    WITH page AS MATERIALIZED (
      SELECT id, sum(size_bytes) OVER (ORDER BY id) - size_bytes AS bytes_before
      FROM (
        SELECT id, size_bytes FROM ${executionsOf(phase)}
        WHERE id > ${after}::uuid AND data_dropped_at IS NULL ORDER BY id LIMIT 200
      ) AS next
    )
    SELECT ${contentColumns(phase)}
    FROM page p JOIN ${executionsOf(phase)} e ON e.id = p.id
    WHERE p.bytes_before < ${PAGE_BYTES}
    ORDER BY e.id
  `);
}

/** One row, as {@link listRowContents} reads it. */
export function findRowContent(
  connection: Connection,
  { phase, id }: Pick<RowContent, 'phase' | 'id'>,
): Promise<RowContent | null> {
  return connection.maybeOne(sql.prepared(`find_row_content.${phase}`, rowContent)`
    SELECT ${contentColumns(phase)} FROM ${executionsOf(phase)} e WHERE e.id = ${id}
  `);
}

function contentColumns(phase: Phase): FragmentSqlToken {
  return sql.fragment`${phase} AS phase, e.id, e.customer_id AS "customerId", encode(e.sha256, 'hex') AS sha256, e.data,
    jsonb_build_object('namespace', e.phase_run_namespace, 'name', e.phase_run_name) AS "phaseRun"`;
}

export interface RowContentToRestore {
  readonly phase: Phase;
  readonly id: string;
  readonly customerId: string;
  /** Hex, of `json`. */
  readonly sha256: string;
  readonly json: string;
}

/** Puts a payload back into the row whose digest is its own. @returns whether there is such a row */
export async function restoreRowContent(
  connection: Connection,
  { phase, id, customerId, sha256, json }: RowContentToRestore,
): Promise<boolean> {
  const { rowCount } = await connection.query(sql.prepared(`restore_row_content.${phase}`, z.object({}))`
    UPDATE ${executionsOf(phase)} SET data = ${json}::jsonb
    WHERE id = ${id} AND customer_id = ${customerId} AND sha256 = decode(${sha256}, 'hex')
  `);
  return rowCount === 1;
}
