import { expect, test } from 'vitest';
import { encodeCursor, parseCursor } from './page-position.ts';

const isNumber = (text: string) => /^\d+$/.test(text);
const position = { at: '2026-11-21T11:18:57.123456Z', id: '42' };

test('a cursor says what it was made of', () => {
  expect(parseCursor(encodeCursor(position), isNumber)).toEqual(position);
});

test.each([
  { name: 'nothing', cursor: '' },
  { name: 'any text', cursor: 'next' },
  { name: 'bytes', cursor: '_____w' },
  { name: 'an id of another list', cursor: encodeCursor({ ...position, id: 'a' }) },
  { name: 'a time without microseconds', cursor: encodeCursor({ ...position, at: '2026-11-21T11:18:57Z' }) },
  { name: 'a day that is none', cursor: encodeCursor({ ...position, at: '2026-02-31T11:18:57.123456Z' }) },
])('$name is no cursor', ({ cursor }) => {
  expect(parseCursor(cursor, isNumber)).toBeUndefined();
});
