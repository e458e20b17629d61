import { parseTimestamp } from './timestamp.ts';

/** Where a list that is read newest first goes on: after the row of this time and id. */
export interface PagePosition {
  /** RFC 3339 in UTC, to the microsecond, as Postgres keeps it. */
  readonly at: string;
  readonly id: string;
}

/** A position as clients carry it from page to page, without a look at what it holds. */
export function encodeCursor({ at, id }: PagePosition): string {
  return Buffer.from(`${at} ${id}`).toString('base64url');
}

const POSITION = /^(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z) (\S+)$/;

/**
 * Reads what {@link encodeCursor} wrote; undefined for anything else.
 * @param isId whether an id is of the kind that this list has
 */
export function parseCursor(cursor: string, isId: (text: string) => boolean): PagePosition | undefined {
  const [, at, id] = POSITION.exec(Buffer.from(cursor, 'base64url').toString()) ?? [];
  if (at === undefined || id === undefined || !isId(id)) return undefined;
  return parseTimestamp(at) === undefined ? undefined : { at, id };
}
