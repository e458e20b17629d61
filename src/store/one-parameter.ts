import type { QuerySqlToken } from 'slonik';

/**
 * Makes a statement of one parameter, all of its values as JSON, whose text is put together once and not for each use.
 * @param statement with its parameter given any value
 */
export function ofOneParameter<T extends QuerySqlToken>(statement: T): (value: string) => T {
  if (statement.values.length !== 1) throw new Error('the statement must have one parameter');
  return (value) => ({ ...statement, values: [value] });
}

/** Hex as the text of a bytea. */
export function byteaOf(hex: string): string {
  return `\\x${hex}`;
}
