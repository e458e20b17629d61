import { BackendTerminatedError } from 'slonik';
import { describe, expect, test } from 'vitest';
import { DatabaseError, toDatabaseError } from './errors.ts';

const answered = (code: string) => Object.assign(new Error(`said ${code}`), { code });

describe('toDatabaseError', () => {
  test.each([
    ['08006', 'unavailable'],
    ['22P05', 'content'],
    ['22001', 'content'],
    ['23505', 'conflict'],
    ['23514', 'content'],
    ['23503', 'other'],
    ['25006', 'unavailable'],
    ['40001', 'conflict'],
    ['40P01', 'conflict'],
    ['42P01', 'unavailable'],
    ['42601', 'other'],
    ['53300', 'unavailable'],
    ['54000', 'content'],
    ['57014', 'unavailable'],
    ['57P01', 'unavailable'],
    ['XX000', 'other'],
  ])('%s is %s', (sqlstate, kind) => {
    expect(toDatabaseError(answered(sqlstate))).toMatchObject({
      kind,
      sqlstate,
      message: `said ${sqlstate}`,
    });
  });

  test('finds the SQLSTATE of a wrapped error, and keeps the error as the cause', () => {
    const wrapped = new Error('wrapped', { cause: answered('22P05') });
    expect(toDatabaseError(wrapped)).toMatchObject({ kind: 'content', sqlstate: '22P05', cause: wrapped });
  });

  test('a connection that is lost has no SQLSTATE, and its first cause speaks', () => {
    const refused = Object.assign(new AggregateError([], ''), { code: 'ECONNREFUSED' });
    const error = toDatabaseError(new BackendTerminatedError(refused));
    expect(error).toMatchObject({ kind: 'unavailable', sqlstate: undefined, message: 'ECONNREFUSED' });
  });

  test('anything else is ours to repair', () => {
    expect(toDatabaseError(new TypeError('x'))).toMatchObject({ kind: 'other', sqlstate: undefined });
    expect(toDatabaseError('thrown')).toMatchObject({ kind: 'other', message: 'thrown' });
  });

  test('what is one already stays as it is', () => {
    const error = new DatabaseError('content', '22P05', undefined);
    expect(toDatabaseError(error)).toBe(error);
  });
});
