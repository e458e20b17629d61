import { describe, expect, test } from 'vitest';
import type { DerivedResult } from './derive.ts';
import type { Phase, RunStatus } from './phase.ts';
import {
  canTransition,
  isTerminal,
  pathTo,
  planSession,
  SESSION_STATES,
  type SessionPlan,
  type SessionState,
} from './session.ts';

const ALLOWED = new Set([
  'pending active',
  'pending expired',
  'active completed',
  'active failed',
  'active expired',
]);
const PAIRS = SESSION_STATES.flatMap((from) => SESSION_STATES.map((to) => ({ from, to })));

test.each(PAIRS)('$from → $to', ({ from, to }) => {
  expect(canTransition(from, to)).toBe(ALLOWED.has(`${from} ${to}`));
});

test('the last three states are terminal', () => {
  expect(SESSION_STATES.filter(isTerminal)).toEqual(['completed', 'failed', 'expired']);
});

test.each<{ from: SessionState | null; target: SessionState; want: string[] }>([
  { from: null, target: 'pending', want: ['null→pending'] },
  { from: null, target: 'active', want: ['null→pending', 'pending→active'] },
  { from: null, target: 'completed', want: ['null→pending', 'pending→active', 'active→completed'] },
  { from: null, target: 'failed', want: ['null→pending', 'pending→active', 'active→failed'] },
  { from: null, target: 'expired', want: ['null→pending', 'pending→expired'] },
  { from: 'pending', target: 'completed', want: ['pending→active', 'active→completed'] },
  { from: 'pending', target: 'pending', want: [] },
  { from: 'active', target: 'pending', want: [] },
  { from: 'active', target: 'failed', want: ['active→failed'] },
  { from: 'completed', target: 'active', want: [] },
  { from: 'completed', target: 'failed', want: [] },
  { from: 'expired', target: 'completed', want: [] },
])('the way from $from to $target', ({ from, target, want }) => {
  expect(pathTo(from, target).map((step) => `${step.from}→${step.to}`)).toEqual(want);
});

test.each(PAIRS)('every step on the way from $from to $to is allowed', ({ from, to }) => {
  for (const step of pathTo(from, to)) expect(canTransition(step.from ?? from, step.to)).toBe(true);
});

describe('what a run wants of its session', () => {
  const nothing: DerivedResult = { redGreen: 'unknown', falsePositive: false };
  test.each<{ phase: Phase; status: RunStatus; derived?: Partial<DerivedResult>; want: SessionPlan }>([
    { phase: 'scan', status: 'pending', want: { target: 'pending' } },
    { phase: 'scan', status: 'running', want: { target: 'active' } },
    { phase: 'scan', status: 'completed', want: { target: 'completed' } },
    { phase: 'scan', status: 'failed', want: { target: 'failed' } },
    { phase: 'validation', status: 'pending', want: { target: 'pending' } },
    { phase: 'validation', status: 'running', want: { target: 'active' } },
    { phase: 'validation', status: 'completed', want: { target: 'active' } },
    { phase: 'validation', status: 'completed', derived: { redGreen: 'proven' }, want: { target: 'active' } },
    {
      phase: 'validation',
      status: 'completed',
      derived: { falsePositive: true },
      want: { target: 'completed', outcome: 'false_positive' },
    },
    {
      phase: 'validation',
      status: 'completed',
      derived: { redGreen: 'inverted' },
      want: { target: 'active', outcome: 'unproven' },
    },
    { phase: 'validation', status: 'failed', derived: { falsePositive: true }, want: { target: 'failed' } },
    { phase: 'mitigation', status: 'pending', want: { target: 'pending' } },
    { phase: 'mitigation', status: 'running', derived: { redGreen: 'proven' }, want: { target: 'active' } },
    { phase: 'mitigation', status: 'completed', want: { target: 'completed', outcome: 'fixed' } },
    {
      phase: 'mitigation',
      status: 'completed',
      derived: { redGreen: 'proven' },
      want: { target: 'completed', outcome: 'fixed' },
    },
    {
      phase: 'mitigation',
      status: 'completed',
      derived: { redGreen: 'unproven' },
      want: { target: 'active', outcome: 'unproven' },
    },
    { phase: 'mitigation', status: 'failed', derived: { redGreen: 'unproven' }, want: { target: 'failed' } },
  ])('$phase $status $derived', ({ phase, status, derived, want }) => {
    expect(planSession({ phase, status, derived: { ...nothing, ...derived } })).toEqual(want);
  });
});
