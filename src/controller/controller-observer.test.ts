import { describe, expect, test } from 'vitest';
import { makePhaseRun } from '../../test/fixtures/phase-run.ts';
import type { ArchivedRun, JsonObject } from '../domain/run.ts';
import type { SessionState } from '../domain/session.ts';
import type { KubeEvent } from '../kube/event-draft.ts';
import { createMetrics } from '../telemetry/metrics.ts';
import { createControllerObserver } from './controller-observer.ts';
import { interpretPhaseRun } from './interpret.ts';

function createObserver() {
  const metrics = createMetrics({ defaultMetrics: false });
  const events: KubeEvent[] = [];
  const recorder = { record: (event: KubeEvent) => void events.push(event), close: () => Promise.resolve() };
  return { metrics, events, observer: createControllerObserver(metrics, recorder) };
}

test('what has not happened yet is counted as 0', async () => {
  const text = await createObserver().metrics.expose();
  expect(text).toContain('controller_runtime_reconcile_errors_total{controller="phaserun"} 0');
  expect(text).toContain('controller_runtime_reconcile_total{controller="phaserun",result="error"} 0');
});

describe('Events of a run that was archived', () => {
  const repository = {
    forge: 'github',
    namespace: 'acme',
    name: 'nodegoat',
    fullPath: 'acme/nodegoat',
  } as const;

  function tell(
    spec: { readonly phase: 'scan' | 'validation' | 'mitigation'; readonly runId?: string },
    to: SessionState,
    data: JsonObject = {},
  ): string[] {
    const { events, observer } = createObserver();
    const phaseRun = makePhaseRun({ spec, result: { status: 'completed', data } });
    const outcome: ArchivedRun = {
      disposition: 'inserted',
      executionId: 'e1',
      sha256: 'a'.repeat(64),
      committedAt: '2026-02-11T10:00:00.500Z',
      incarnation: 'here',
      session: { id: 's1', state: to },
      transitions: [{ from: 'active', to }],
    };
    observer.archived(phaseRun, interpretPhaseRun(phaseRun, { customerId: 'c1', repository }), outcome);
    return events.map(({ type, reason }) => `${type} ${reason}`);
  }

  test.each([
    { name: 'a scan', phase: 'scan', to: 'completed', want: [] },
    { name: 'a validation', phase: 'validation', to: 'active', want: [] },
    { name: 'a fix', phase: 'mitigation', to: 'completed', want: ['Normal SessionCompleted'] },
    { name: 'a failure', phase: 'mitigation', to: 'failed', want: ['Warning SessionFailed'] },
    {
      name: 'an inverted validation',
      phase: 'validation',
      to: 'active',
      data: { redTestPassed: true },
      want: ['Warning RedGreenViolation'],
    },
  ] as const)('over HTTP: $name, $want', ({ phase, to, want, ...rest }) => {
    expect(tell({ phase, runId: 'r1' }, to, 'data' in rest ? rest.data : {})).toEqual(want);
  });

  test('by kubectl: that it was archived, too', () => {
    expect(tell({ phase: 'scan' }, 'completed')).toEqual(['Normal Archived', 'Normal SessionCompleted']);
  });
});
