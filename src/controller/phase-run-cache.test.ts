import { describe, expect, test } from 'vitest';
import { makeArchivedStatus, makePhaseRun, type PhaseRunChanges } from '../../test/fixtures/phase-run.ts';
import { bySlotOrder, leanPhaseRun, slotKeyOf } from './phase-run-cache.ts';

describe('leanPhaseRun', () => {
  const status = makeArchivedStatus();
  const dataRef = { sha256: 'a'.repeat(64), sizeBytes: 2 };

  test('keeps the payload of a run that is to be archived, and no managedFields', () => {
    const phaseRun = makePhaseRun();
    const managed = { ...phaseRun, metadata: { ...phaseRun.metadata, managedFields: [{}] } };
    expect(leanPhaseRun(managed)).toEqual(phaseRun);
  });

  test.each([
    { name: 'data', result: { status: 'completed', data: { validated: true } } },
    { name: 'dataGzip', result: { status: 'completed', dataGzip: 'H4sI' } },
  ] as const)('leaves $name out once there is a receipt, and says so', ({ result }) => {
    const phaseRun = makePhaseRun({ result, status });
    expect(leanPhaseRun(phaseRun)).toEqual({
      ...phaseRun,
      spec: { ...phaseRun.spec, result: { status: 'completed' } },
      payloadLeftOut: true,
    });
  });

  test('has nothing to leave out of a run that refers to its payload', () => {
    const phaseRun = makePhaseRun({ result: { status: 'completed', dataRef }, status });
    expect(leanPhaseRun(phaseRun)).toEqual(phaseRun);
  });
});

describe('slotKeyOf', () => {
  test.each<{ name: string; spec: PhaseRunChanges['spec']; want: string }>([
    { name: 'a validation', spec: {}, want: 'github/acme/nodegoat#1204' },
    { name: 'a mitigation', spec: { phase: 'mitigation' }, want: 'github/acme/nodegoat#1204' },
    { name: 'a scan', spec: { phase: 'scan' }, want: 'github/acme/nodegoat@7776c71' },
    { name: 'a GitLab group', spec: { forge: 'gitlab', repo: 'a/b/c' }, want: 'gitlab/a/b/c#1204' },
    { name: 'a name that is none', spec: { repo: 'acme/..' }, want: 'unnamed/acme/proof' },
  ])('of $name', ({ spec = {}, want }) => {
    expect(slotKeyOf(makePhaseRun({ spec }))).toBe(want);
  });
});

describe('bySlotOrder', () => {
  const at = (creationTimestamp: string, resourceVersion: string) => ({
    metadata: { name: `at-${creationTimestamp}-${resourceVersion}`, creationTimestamp, resourceVersion },
  });
  const inOrder = [
    makePhaseRun({ spec: { order: 1024 } }),
    makePhaseRun({ spec: { order: 4096 } }),
    // Moved forward: the place of the result counts.
    makePhaseRun({ spec: { order: 2048 }, result: { status: 'completed', order: 5120 } }),
    makePhaseRun(at('2026-02-11T09:00:00Z', '2000')),
    makePhaseRun(at('2026-02-11T09:00:01Z', '99')),
    makePhaseRun(at('2026-02-11T09:00:01Z', '100')),
    makePhaseRun(at('2026-02-11T09:00:01Z', '101')),
    makePhaseRun(at('2026-02-11T10:00:00Z', '7')),
  ];

  test('is by place, then by creation, then by resource version', () => {
    expect(inOrder.toReversed().toSorted(bySlotOrder)).toEqual(inOrder);
    expect(inOrder.toSorted(bySlotOrder)).toEqual(inOrder);
  });

  test('a run is neither before nor after itself', () => {
    expect(inOrder.map((phaseRun) => bySlotOrder(phaseRun, phaseRun))).toEqual(inOrder.map(() => 0));
  });
});
