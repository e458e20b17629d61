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
 * Of the newest rows, those that a page has room for, with `found`: how many there were. So a page of large rows does not
 * take the memory of the process. Postgres still writes out every row that it weighs, which takes a connection for seconds
 * where a hundred of them are as large as a body.
 * @param newest selects rows in their order, one more than the limit
 * @param time the column they are ordered by, before `id`
 * @param bytes what is large in a row
 */
export function withinPage(
  newest: FragmentSqlToken,
  { time, bytes }: { readonly time: FragmentSqlToken; readonly bytes: FragmentSqlToken },
): FragmentSqlToken {
  return sql.fragment`(
    SELECT * FROM (
      SELECT *, count(*) OVER () AS found, sum(${bytes}) OVER (
        ORDER BY ${time} DESC, id DESC ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING
      ) AS bytes_before
      FROM (${newest}) AS newest
    ) AS counted
    WHERE coalesce(bytes_before, 0) < ${PAGE_BYTES}
  )`;
}

/** @param rows those that were read when one more than the limit was asked for; see {@link withinPage} for `found` */
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
