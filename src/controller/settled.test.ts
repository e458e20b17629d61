import { describe, expect, test } from 'vitest';
import {
  makeArchivedStatus,
  makeCondition,
  makePhaseRun,
  makeRejectedStatus,
} from '../../test/fixtures/phase-run.ts';
import { REJECTION_REASONS } from '../resources/conditions.ts';
import type { PhaseRun } from '../resources/phase-run.ts';
import { leanPhaseRun } from './phase-run-cache.ts';
import { expiresAt, isArchived, isSettled } from './settled.ts';

const archived = makePhaseRun({ status: makeArchivedStatus('here') });
const edited = (phaseRun: PhaseRun) => ({ ...phaseRun, metadata: { ...phaseRun.metadata, generation: 2 } });

describe('isSettled', () => {
  test.each<{ name: string; phaseRun: PhaseRun; incarnation?: string; want: boolean }>([
    { name: 'without a status', phaseRun: makePhaseRun(), want: false },
    { name: 'archived here', phaseRun: archived, want: true },
    { name: 'archived in another database', phaseRun: archived, incarnation: 'restored', want: false },
    { name: 'archived, and edited since', phaseRun: edited(archived), want: false },
    {
      name: 'with a receipt and no condition',
      phaseRun: makePhaseRun({ status: { ...makeArchivedStatus('here'), conditions: [] } }),
      want: false,
    },
    {
      name: 'said to be archived without a receipt',
      phaseRun: makePhaseRun({ status: { conditions: [makeCondition('Archived', 'True')] } }),
      want: false,
    },
    {
      name: 'rejected, and edited since',
      phaseRun: edited(makePhaseRun({ status: makeRejectedStatus('InvalidPayload') })),
      want: false,
    },
    {
      name: 'archived at an earlier generation and rejected at this one',
      phaseRun: edited(
        makePhaseRun({
          status: {
            ...makeArchivedStatus('here'),
            conditions: [
              makeCondition('Archived', 'True'),
              makeCondition('Accepted', 'False', { observedGeneration: 2, reason: 'StatusMovedBackward' }),
            ],
          },
        }),
      ),
      want: true,
    },
  ])('$name: $want', ({ phaseRun, incarnation = 'here', want }) => {
    expect(isSettled(leanPhaseRun(phaseRun), incarnation)).toBe(want);
  });

  test.each(Object.entries(REJECTION_REASONS))(
    'rejected for %s: as final as the reason',
    (reason, { terminal }) => {
      const rejected = makePhaseRun({ status: makeRejectedStatus(reason) });
      expect(isSettled(leanPhaseRun(rejected), 'here')).toBe(terminal);
    },
  );

  test('nothing counts as archived while the database is not known', () => {
    expect(isArchived(leanPhaseRun(archived), undefined)).toBe(false);
  });
});

describe('expiresAt', () => {
  const spec = { ttlSecondsAfterArchived: 60 };
  const at = (time: string) => Date.parse(time);

  test.each<{ name: string; phaseRun: PhaseRun; want: number | undefined }>([
    { name: 'without a TTL', phaseRun: archived, want: undefined },
    {
      name: 'archived: so long after the commit',
      phaseRun: makePhaseRun({ spec, status: makeArchivedStatus('here') }),
      want: at('2026-02-11T09:01:01.500Z'),
    },
    {
      name: 'with a TTL of zero: at once',
      phaseRun: makePhaseRun({ spec: { ttlSecondsAfterArchived: 0 }, status: makeArchivedStatus('here') }),
      want: at('2026-02-11T09:00:01.500Z'),
    },
    { name: 'not archived', phaseRun: makePhaseRun({ spec }), want: undefined },
    {
      name: 'archived elsewhere',
      phaseRun: makePhaseRun({ spec, status: makeArchivedStatus('elsewhere') }),
      want: undefined,
    },
    {
      name: 'running',
      phaseRun: makePhaseRun({ spec, result: { status: 'running' }, status: makeArchivedStatus('here') }),
      want: undefined,
    },
    {
      name: 'rejected for good: so long after that',
      phaseRun: makePhaseRun({ spec, status: makeRejectedStatus('InvalidPayload') }),
      want: at('2026-02-11T09:01:01Z'),
    },
    {
      name: 'rejected for something around it',
      phaseRun: makePhaseRun({ spec, status: makeRejectedStatus('NamespaceNotBound') }),
      want: undefined,
    },
  ])('$name', ({ phaseRun, want }) => {
    expect(expiresAt(leanPhaseRun(phaseRun), 'here')).toBe(want);
  });
});
