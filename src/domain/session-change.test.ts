import { expect, test } from 'vitest';
import { decideSessionChange, fitsMetadata, METADATA_LIMIT_BYTES } from './session-change.ts';

const TASK = '6f1c2c9e-9d4e-4a8e-8f6b-0d6f3c9b1a2e';
const session = { status: 'active', taskId: null, metadata: { a: 1, b: { c: 2 } } } as const;

test.each([
  { name: 'nothing', change: {}, want: { kind: 'unchanged' } },
  { name: 'the state it is in', change: { status: 'active' }, want: { kind: 'unchanged' } },
  { name: 'what it holds', change: { metadata: { b: { c: 2 } } }, want: { kind: 'unchanged' } },
  {
    name: 'a step',
    change: { status: 'completed' },
    want: { kind: 'update', to: { ...session, status: 'completed' } },
  },
  { name: 'a step that does not lead there', change: { status: 'pending' }, want: { kind: 'forbidden' } },
  {
    name: 'metadata: each member named takes the place of the whole one before',
    change: { metadata: { b: 3, d: null } },
    want: { kind: 'update', to: { ...session, metadata: { a: 1, b: 3, d: null } } },
  },
  { name: 'a task', change: { taskId: TASK }, want: { kind: 'update', to: { ...session, taskId: TASK } } },
  {
    name: 'more metadata than there is room for beside what it holds',
    change: { metadata: { d: 'x'.repeat(METADATA_LIMIT_BYTES - 20) } },
    want: { kind: 'too_large' },
  },
] as const)('asked for $name', ({ change, want }) => {
  expect(decideSessionChange(session, change)).toEqual(want);
});

test('room is counted in bytes, quotes and all', () => {
  const around = JSON.stringify({ a: '' }).length;
  expect(fitsMetadata({ a: 'x'.repeat(METADATA_LIMIT_BYTES - around) })).toBe(true);
  expect(fitsMetadata({ a: 'x'.repeat(METADATA_LIMIT_BYTES - around + 1) })).toBe(false);
  expect(fitsMetadata({ a: 'é'.repeat(METADATA_LIMIT_BYTES / 2) })).toBe(false);
  expect(fitsMetadata({ a: Array(200).fill(1e300) })).toBe(true);
  expect(fitsMetadata({ a: Array(300).fill(1e300) })).toBe(false);
});
