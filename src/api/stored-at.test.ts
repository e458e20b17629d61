import { expect, test } from 'vitest';
import { ProblemError } from './problem.ts';
import { storedAtOf } from './stored-at.ts';

const now = Date.parse('2026-03-01T12:00:00Z');

const read = [
  { name: 'no header', header: undefined, want: undefined },
  { name: 'a time in the past', header: '2026-02-28T23:59:59.5+01:00', want: '2026-02-28T22:59:59.500Z' },
  { name: 'a clock that runs fast', header: '2027-01-01T00:00:00Z', want: undefined },
  { name: 'this very moment', header: '2026-03-01T12:00:00Z', want: undefined },
  { name: 'a clock that was never set', header: '1970-01-01T00:00:09Z', want: '2026-01-30T12:00:00.000Z' },
];
test.each(read)('reads $name', ({ header, want }) => {
  expect(storedAtOf({ 'x-phase-stored-at': header }, now)).toBe(want);
});

test.each(['', 'yesterday', '2026-02-31T00:00:00Z', '1772366400'])('refuses %j', (header) => {
  expect(() => storedAtOf({ 'x-phase-stored-at': header }, now)).toThrow(ProblemError);
});
