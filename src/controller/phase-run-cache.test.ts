import { describe, expect, test } from 'vitest';
import {
  makeArchivedStatus,
  makeCondition,
  makePhaseRun,
  makeRejectedStatus,
  type PhaseRunChanges,
} from '../../test/fixtures/phase-run.ts';
import type { PhaseRunStatus } from '../resources/phase-run.ts';
import { bySlotOrder, type CachedPhaseRun, leanPhaseRun } from './phase-run-cache.ts';

const RUN_ID = '0190D1C8-5F0A-7C55-9A39-000000000001';

describe('leanPhaseRun', () => {
  test('keeps of a waiting run where it belongs', () => {
    expect(leanPhaseRun(makePhaseRun())).toEqual({
      metadata: {
        name: 'proof',
        namespace: 'acme',
        uid: '0190d1c8-5f0a-7c55-9a39-7c1b6f4e2a10',
        resourceVersion: '100',
        generation: 1,
      },
      slot: 'github/acme/nodegoat#1204',
      runId: '0190d1c8-5f0a-7c55-9a39-7c1b6f4e2a10',
      status: 'completed',
      createdAt: Date.parse('2026-02-11T09:00:00Z'),
      greatestOrder: 0,
    });
  });

  test('keeps of an archived run what its row is verified by, and no payload', () => {
    const archive = makeArchivedStatus('here').archive;
    const phaseRun = makePhaseRun({
      spec: { runId: RUN_ID, customerId: 'a customer', order: 1024, ttlSecondsAfterArchived: 600 },
      result: { status: 'completed', dataRef: { sha256: 'b'.repeat(64), sizeBytes: 2 }, order: 2048 },
      status: makeArchivedStatus('here'),
    });
    expect(leanPhaseRun(phaseRun)).toMatchObject({
      runId: RUN_ID.toLowerCase(),
      customerId: 'a customer',
      order: 2048,
      greatestOrder: 2048,
      ttlSecondsAfterArchived: 600,
      payloadSha256: 'b'.repeat(64),
      receipt: {
        executionId: archive?.executionId,
        sha256: 'a'.repeat(64),
        committedAt: Date.parse('2026-02-11T09:00:01.500Z'),
      },
      archivedIn: 'here',
    });
  });

  const edited = { generation: 2 };
  const archivedAt = (order: number): PhaseRunStatus => {
    const { archive, ...status } = makeArchivedStatus();
    return { ...status, ...(archive && { archive: { ...archive, order } }) };
  };
  test.each<{ name: string; changes: PhaseRunChanges; want: Partial<CachedPhaseRun> }>([
    {
      name: 'edited since it was archived has no place of its own, and a receipt',
      changes: { metadata: edited, status: archivedAt(7) },
      want: { order: undefined, greatestOrder: 7, archivedIn: undefined, receipt: expect.anything() },
    },
    {
      name: 'applied and archived has the place of its row',
      changes: { status: archivedAt(7) },
      want: { order: 7, greatestOrder: 7, archivedIn: 'here' },
    },
    {
      name: 'rejected for good is so since its condition says so',
      changes: { status: makeRejectedStatus('InvalidPayload') },
      want: { rejectedAt: Date.parse('2026-02-11T09:00:01Z') },
    },
    {
      name: 'rejected for something around it has work left',
      changes: { status: makeRejectedStatus('NamespaceNotBound') },
      want: { rejectedAt: undefined },
    },
    {
      name: 'rejected before it was edited has work left',
      changes: { metadata: edited, status: makeRejectedStatus('InvalidPayload') },
      want: { rejectedAt: undefined },
    },
    {
      name: 'said to be archived without a receipt is not',
      changes: { status: { conditions: [makeCondition('Archived', 'True')] } },
      want: { archivedIn: undefined, receipt: undefined },
    },
  ])('a run that was $name', ({ changes, want }) => {
    expect(leanPhaseRun(makePhaseRun(changes))).toMatchObject(want);
  });

  test('has one shape, whatever it is made of', () => {
    const phaseRuns = [makePhaseRun(), makePhaseRun({ spec: { order: 1 }, status: makeArchivedStatus() })];
    const [waiting, archived] = phaseRuns.map((phaseRun) => Object.keys(leanPhaseRun(phaseRun)));
    expect(waiting).toEqual(archived);
  });
});

describe('the slot', () => {
  test.each<{ name: string; spec: PhaseRunChanges['spec']; want: string }>([
    { name: 'a validation', spec: {}, want: 'github/acme/nodegoat#1204' },
    { name: 'a mitigation', spec: { phase: 'mitigation' }, want: 'github/acme/nodegoat#1204' },
    { name: 'a scan', spec: { phase: 'scan' }, want: 'github/acme/nodegoat@7776c71' },
    { name: 'a GitLab group', spec: { forge: 'gitlab', repo: 'a/b/c' }, want: 'gitlab/a/b/c#1204' },
    { name: 'a name that is none', spec: { repo: 'acme/..' }, want: 'unnamed/acme/proof' },
  ])('of $name', ({ spec = {}, want }) => {
    expect(leanPhaseRun(makePhaseRun({ spec })).slot).toBe(want);
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
  ].map(leanPhaseRun);

  test('is by place, then by creation, then by resource version', () => {
    expect(inOrder.toReversed().toSorted(bySlotOrder)).toEqual(inOrder);
    expect(inOrder.toSorted(bySlotOrder)).toEqual(inOrder);
  });

  test('a run is neither before nor after itself', () => {
    expect(inOrder.map((phaseRun) => bySlotOrder(phaseRun, phaseRun))).toEqual(inOrder.map(() => 0));
  });
});
