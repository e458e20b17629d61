import { describe, expect, it } from 'vitest';
import { findUnsafeInteger } from './unsafe-integer.ts';

describe('findUnsafeInteger', () => {
  it.each([
    ['at the top', { id: 2 ** 53 }, 'data.id'],
    ['negative', { id: -(2 ** 53) }, 'data.id'],
    ['far down', { rows: [{ id: 1 }, { id: 1e20 }] }, 'data.rows[1].id'],
  ])('finds one %s and says where', (_name, value, path) => {
    expect(findUnsafeInteger(value, 'data')?.path).toBe(path);
  });

  it.each([[{ id: Number.MAX_SAFE_INTEGER }], [{ id: 0.1 }], [{ id: '9007199254740993' }], [{}]])(
    'has nothing against %j',
    (value) => {
      expect(findUnsafeInteger(value, 'data')).toBeUndefined();
    },
  );
});
