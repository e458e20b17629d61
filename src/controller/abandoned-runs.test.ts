import { expect, test } from 'vitest';
import { makePhaseRun } from '../../test/fixtures/phase-run.ts';
import type { RunStatus } from '../domain/phase.ts';
import { failAbandonedRuns } from './abandoned-runs.ts';
import { leanPhaseRun } from './phase-run-cache.ts';

// makePhaseRun: created at nine o'clock on 11 February.
test.each<{ status: RunStatus; now: string; want: string[] }>([
  { status: 'running', now: '2026-02-18T09:00:00Z', want: ['Abandoned: not moved forward within 7 days'] },
  { status: 'pending', now: '2026-03-01T00:00:00Z', want: ['Abandoned: not moved forward within 7 days'] },
  { status: 'running', now: '2026-02-18T08:59:59Z', want: [] },
  { status: 'completed', now: '2026-03-01T00:00:00Z', want: [] },
  { status: 'failed', now: '2026-03-01T00:00:00Z', want: [] },
])('$status at $now', async ({ status, now, want }) => {
  const failed: string[] = [];
  let counted = 0;
  await failAbandonedRuns(
    {
      phaseRuns: () => [leanPhaseRun(makePhaseRun({ result: { status } }))],
      fail: (_, errorMessage) => Promise.resolve(void failed.push(errorMessage)),
      onAbandoned: () => {
        counted += 1;
      },
      now: () => Date.parse(now),
      retentionDays: 7,
    },
    AbortSignal.any([]),
  );
  expect(failed).toEqual(want);
  expect(counted).toBe(want.length);
});

test('one that cannot be patched holds up none of the others', async () => {
  let counted = 0;
  const running = leanPhaseRun(makePhaseRun({ result: { status: 'running' } }));
  const outcomes = [() => Promise.reject(new Error('refused')), () => Promise.resolve()];
  const failing = failAbandonedRuns(
    {
      phaseRuns: () => [running, running],
      fail: () => outcomes.shift()?.() ?? Promise.resolve(),
      onAbandoned: () => {
        counted += 1;
      },
      now: () => Date.parse('2026-03-01T00:00:00Z'),
      retentionDays: 7,
    },
    AbortSignal.any([]),
  );
  await expect(failing).rejects.toThrow(AggregateError);
  expect(counted).toBe(1);
});
