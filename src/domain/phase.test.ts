import { expect, test } from 'vitest';
import { isFinished, isForward, parsePhase, RUN_STATUSES } from './phase.ts';

const FORWARD = new Set([
  'pending running',
  'pending completed',
  'pending failed',
  'running completed',
  'running failed',
]);

test.each(RUN_STATUSES.flatMap((from) => RUN_STATUSES.map((to) => ({ from, to }))))(
  '$from → $to',
  ({ from, to }) => {
    expect(isForward(from, to)).toBe(from === to || FORWARD.has(`${from} ${to}`));
  },
);

test('completed and failed are ends', () => {
  expect(RUN_STATUSES.filter(isFinished)).toEqual(['completed', 'failed']);
});

test.each([
  ['scan', 'scan'],
  ['validate', 'validation'],
  ['validation', 'validation'],
  ['mitigate', 'mitigation'],
  ['mitigation', 'mitigation'],
  ['Scan', undefined],
  ['', undefined],
  ['constructor', undefined],
  ['__proto__', undefined],
])('%j means %s', (spelling, want) => {
  expect(parsePhase(spelling)).toBe(want);
});
