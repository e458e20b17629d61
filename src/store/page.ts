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

/** @param rows those that were read when one more than the limit was asked for */
export function toPage<Row extends { readonly id: string | number; readonly position: string }>(
  rows: readonly Row[],
  { limit }: PageRequest,
): Page<Row> {
  const last = rows[limit - 1];
  const isEnd = rows.length <= limit || last === undefined;
  return {
    rows: rows.slice(0, limit),
    next: isEnd ? null : { at: last.position, id: String(last.id) },
  };
}

/** Names the text of a statement whose conditions depend on which filters are there. */
export function variantOf(filters: Readonly<Record<string, unknown>>): string {
  const used = Object.keys(filters).filter((name) => filters[name] !== undefined);
  return used.length === 0 ? 'all' : `by_${used.join('_')}`;
}
