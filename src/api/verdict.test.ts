import { describe, expect, test } from 'vitest';
import type { PhaseRun, PhaseRunStatus } from '../resources/phase-run.ts';
import { verdictOf } from './verdict.ts';

const EMPTY_OBJECT_SHA256 = '44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a';
const archive = {
  executionId: '0190a6e0-0000-7000-8000-000000000001',
  sha256: EMPTY_OBJECT_SHA256,
  committedAt: '2026-02-11T09:14:03Z',
  incarnation: 'a',
};

function makePhaseRun(status?: PhaseRunStatus): PhaseRun {
  return {
    apiVersion: 'phases.rsolv.dev/v1alpha1',
    kind: 'PhaseRun',
    metadata: {
      name: 'a',
      namespace: 'b',
      uid: 'c',
      resourceVersion: '1',
      generation: 2,
      creationTimestamp: '2026-02-11T09:14:03Z',
    },
    spec: { phase: 'scan', forge: 'github', repo: 'acme/shop', result: { status: 'completed' } },
    ...(status && { status }),
  };
}

function condition(type: string, value: 'True' | 'False', reason: string, observedGeneration = 2) {
  return {
    type,
    status: value,
    reason,
    observedGeneration,
    message: 'why',
    lastTransitionTime: archive.committedAt,
  };
}

describe('verdictOf', () => {
  test.each<{ name: string; status: PhaseRunStatus | undefined; want: object }>([
    { name: 'nothing written yet', status: undefined, want: { kind: 'pending' } },
    {
      name: 'a receipt',
      status: { archive, conditions: [condition('Archived', 'True', 'Stored')] },
      want: { kind: 'archived', executionId: archive.executionId },
    },
    {
      name: 'a receipt of the generation before',
      status: { archive, conditions: [condition('Archived', 'True', 'Stored', 1)] },
      want: { kind: 'pending' },
    },
    {
      name: 'a rejection for good',
      status: { conditions: [condition('Accepted', 'False', 'RunIdTaken')] },
      want: { kind: 'rejected', reason: 'RunIdTaken', message: 'why' },
    },
    {
      name: 'a rejection that its surroundings can mend',
      status: { conditions: [condition('Accepted', 'False', 'NamespaceNotBound')] },
      want: { kind: 'pending' },
    },
  ])('$name', ({ status, want }) => {
    expect(verdictOf(makePhaseRun(status))).toMatchObject(want);
  });
});
