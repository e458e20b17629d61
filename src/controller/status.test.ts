import { describe, expect, test } from 'vitest';
import { makeArchivedStatus, makeCondition, makePhaseRun } from '../../test/fixtures/phase-run.ts';
import type { ArchivedRun, JsonObject } from '../domain/run.ts';
import type { SessionState } from '../domain/session.ts';
import type { PhaseRun, PhaseRunStatus } from '../resources/phase-run.ts';
import { interpretPhaseRun, Rejection } from './interpret.ts';
import { archivedStatus, rejectedStatus } from './status.ts';

const now = new Date('2026-02-11T10:00:00.900Z');
const repository = {
  forge: 'github',
  namespace: 'acme',
  name: 'nodegoat',
  fullPath: 'acme/nodegoat',
} as const;

const outcome: ArchivedRun = {
  disposition: 'inserted',
  executionId: 'e1',
  sha256: 'a'.repeat(64),
  committedAt: '2026-02-11T10:00:00.500Z',
  incarnation: 'here',
  session: { id: 's1', state: 'active' },
  transitions: [],
};

function statusOf(phaseRun: PhaseRun, changes: Partial<ArchivedRun> = {}): PhaseRunStatus {
  const run = interpretPhaseRun(phaseRun, { customerId: 'c1', repository });
  return archivedStatus(phaseRun, run, { ...outcome, ...changes }, now);
}

const conditionOf = ({ conditions = [] }: PhaseRunStatus, type: string) =>
  conditions.find((condition) => condition.type === type);

const mitigation = (data: JsonObject) =>
  makePhaseRun({ spec: { phase: 'mitigation' }, result: { status: 'completed', data } });

describe('archivedStatus', () => {
  test('is the receipt, the session, what the result says, and three conditions', () => {
    const data = { fixed: true, trustScore: 85, prUrl: 'https://github.com/acme/nodegoat/pull/7' };
    const status = statusOf(mitigation(data), { session: { id: 's1', state: 'completed' } });
    const lastTransitionTime = '2026-02-11T10:00:00Z';
    const condition = { status: 'True', observedGeneration: 1, lastTransitionTime };
    expect(status).toEqual({
      observedGeneration: 1,
      conditions: [
        {
          ...condition,
          type: 'Accepted',
          reason: 'Accepted',
          message: 'the run belongs to customer c1',
        },
        {
          ...condition,
          type: 'Archived',
          reason: 'Stored',
          message:
            'committed as execution e1 of mitigation_executions; this PhaseRun stays until somebody deletes it',
        },
        {
          ...condition,
          type: 'SessionAdvanced',
          reason: 'Advanced',
          message: 'session s1 is completed: the issue is fixed',
        },
      ],
      archive: {
        executionId: 'e1',
        sha256: 'a'.repeat(64),
        committedAt: '2026-02-11T10:00:00.500Z',
        incarnation: 'here',
      },
      session: { id: 's1', state: 'completed' },
      summary: {
        redGreen: 'unknown',
        trustScore: 85,
        pullRequestUrl: 'https://github.com/acme/nodegoat/pull/7',
      },
    });
  });

  test.each([
    ['inserted', 'Stored'],
    ['updated', 'Stored'],
    ['unchanged', 'Stored'],
    ['duplicate', 'Duplicate'],
    ['deleted', 'Deleted'],
    ['purged', 'Purged'],
  ] as const)('%s is told as %s', (disposition, reason) => {
    expect(conditionOf(statusOf(makePhaseRun(), { disposition }), 'Archived')).toMatchObject({
      status: 'True',
      reason,
    });
  });

  test.each<{ name: string; phaseRun: PhaseRun; state: SessionState; want: object }>([
    {
      name: 'a session that had ended already',
      phaseRun: makePhaseRun(),
      state: 'completed',
      want: {
        status: 'False',
        reason: 'Unchanged',
        message: 'session s1 is completed; this run called for active',
      },
    },
    {
      name: 'an unproven fix',
      phaseRun: mitigation({ fixed: false }),
      state: 'active',
      want: {
        status: 'True',
        reason: 'Advanced',
        message: 'session s1 is active: the result is unproven, so more work is expected',
      },
    },
  ])('says of $name where it is', ({ phaseRun, state, want }) => {
    const status = statusOf(phaseRun, { session: { id: 's1', state } });
    expect(conditionOf(status, 'SessionAdvanced')).toMatchObject(want);
  });

  test.each([
    {
      what: 'without a TTL',
      ttl: undefined,
      status: 'completed',
      want: 'this PhaseRun stays until somebody deletes it',
    },
    {
      what: 'that has not ended',
      ttl: 600,
      status: 'running',
      want: 'this PhaseRun stays until the run has ended',
    },
    {
      what: 'with a TTL',
      ttl: 600,
      status: 'failed',
      want: 'this PhaseRun is deleted after 2026-02-11T10:10:00Z, or earlier where there are many',
    },
  ] as const)('says what becomes of a PhaseRun $what', ({ ttl, status, want }) => {
    const spec = ttl === undefined ? {} : { ttlSecondsAfterArchived: ttl };
    const told = conditionOf(statusOf(makePhaseRun({ spec, result: { status } })), 'Archived');
    expect(told?.message).toBe(`committed as execution e1 of validation_executions; ${want}`);
  });

  test('of a run that stored nothing has no session', () => {
    const { session: _, ...without } = outcome;
    const phaseRun = makePhaseRun();
    const run = interpretPhaseRun(phaseRun, { customerId: 'c1', repository });
    const status = archivedStatus(phaseRun, run, { ...without, disposition: 'purged' }, now);
    expect(status).not.toHaveProperty('session');
    expect(conditionOf(status, 'SessionAdvanced')).toMatchObject({ status: 'False', reason: 'NoSession' });
  });

  test('written again says nothing new', () => {
    const first = statusOf(makePhaseRun());
    const later = archivedStatus(
      makePhaseRun({ status: first }),
      interpretPhaseRun(makePhaseRun(), { customerId: 'c1', repository }),
      outcome,
      new Date('2026-02-12T00:00:00Z'),
    );
    expect(later).toEqual(first);
  });
});

describe('rejectedStatus', () => {
  const rejection = new Rejection('InvalidPayload', 'spec.result.data.a: must not hold NUL');

  test('says why, and that nothing was stored', () => {
    const { conditions, ...rest } = rejectedStatus(makePhaseRun(), rejection, now);
    expect(rest).toEqual({ observedGeneration: 1 });
    expect(conditions).toMatchObject([
      {
        type: 'Accepted',
        status: 'False',
        reason: 'InvalidPayload',
        message: rejection.message,
        observedGeneration: 1,
      },
      { type: 'Archived', status: 'False', reason: 'Rejected' },
    ]);
  });

  test('leaves what was archived before as it was', () => {
    const status = makeArchivedStatus();
    const edited = makePhaseRun({ metadata: { generation: 2 }, status });
    expect(rejectedStatus(edited, rejection, now)).toEqual({
      ...status,
      observedGeneration: 2,
      conditions: [
        makeCondition('Accepted', 'False', {
          observedGeneration: 2,
          lastTransitionTime: '2026-02-11T10:00:00Z',
          reason: 'InvalidPayload',
          message: rejection.message,
        }),
        makeCondition('Archived', 'True'),
      ],
    });
  });
});
