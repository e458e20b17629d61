import { type FragmentSqlToken, sql } from 'slonik';
import type { PagePosition } from '../domain/page-position.ts';

/** Which part of a list that is read newest first. */
export interface PageRequest {
  /** At most so many rows. */
  readonly limit: number;
  /** Absent: from the newest. */
  readonly after?: PagePosition;
}

export interface Page<Row> {
  readonly rows: readonly Row[];
  /** Where the next page goes on; null at the end. */
  readonly next: PagePosition | null;
}

/** The id after every other, for the first page. */
export const LAST_UUID = 'ffffffff-ffff-ffff-ffff-ffffffffffff';

/** A timestamptz as a {@link PagePosition} holds it. */
export function positionOf(time: FragmentSqlToken): FragmentSqlToken {
  return sql.fragment`to_char(${time} AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')`;
}

/** A time that every row is before, so that the first page is asked for in the same words as the others. */
export function startOf({ after }: PageRequest): string {
  return after?.at ?? 'infinity';
}

/** What the rows of a page may hold before its last, which may be as large as a body. */
const PAGE_BYTES = 4 * 1024 * 1024;

/**
 * The CTEs of a page, to stand behind WITH RECURSIVE: `newest`, all that was found, and `page`, the rows of it that there is room
 * for. Postgres goes from row to row and stops where the page is full, so that it writes out no large row but those of the page,
 * each of them once: written out, a hundred rows as large as a body take a connection for seconds.
 * @param newest selects rows in their order, one more than the limit
 * @param time the column they are ordered by, before `id`
 * @param printed array of what is large in a row, as text; a column of `page`
 */
export function pageOf(
  { limit }: PageRequest,
  {
    newest,
    time,
    printed,
  }: {
    readonly newest: FragmentSqlToken;
    readonly time: FragmentSqlToken;
    readonly printed: FragmentSqlToken;
  },
): FragmentSqlToken {
  return sql.fragment`newest AS MATERIALIZED (
    SELECT *, row_number() OVER (ORDER BY ${time} DESC, id DESC) AS number FROM (${newest}) AS found
  ), page AS (
    SELECT *, 0::bigint AS bytes_before, ${printed} AS printed FROM newest WHERE number = 1
    UNION ALL
    SELECT next.* FROM page, LATERAL (
      SELECT newest.*, page.bytes_before + pg_column_size(page.printed), ${printed}
      FROM newest
      WHERE number = page.number + 1 AND number <= ${limit}
        AND page.bytes_before + pg_column_size(page.printed) < ${PAGE_BYTES}
    ) AS next
  )`;
}

/** How many rows were found, whether or not {@link pageOf} has room for them. */
export const foundRows = sql.fragment`(SELECT count(*) FROM newest)`;

/** @param rows those that were read when one more than the limit was asked for; `found`: how many there were, if more */
export function toPage<
  Row extends { readonly id: string | number; readonly position: string; readonly found?: number },
>(rows: readonly Row[], { limit }: PageRequest): Page<Row> {
  const shown = rows.slice(0, limit);
  const last = shown.at(-1);
  const isEnd = last === undefined || shown.length === (last.found ?? rows.length);
  return { rows: shown, next: isEnd ? null : { at: last.position, id: String(last.id) } };
}

/** Names the text of a statement whose conditions depend on which filters are there. */
export function variantOf(filters: Readonly<Record<string, unknown>>): string {
  const used = Object.keys(filters).filter((name) => filters[name] !== undefined);
  return used.length === 0 ? 'all' : `by_${used.join('_')}`;
}
