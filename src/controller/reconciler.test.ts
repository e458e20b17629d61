import { pino } from 'pino';
import { describe, expect, test } from 'vitest';
import { makePhaseRun } from '../../test/fixtures/phase-run.ts';
import type { ArchivableRun } from '../domain/run.ts';
import { keyOf } from '../kube/kube-object.ts';
import type { PhaseRun } from '../resources/phase-run.ts';
import { IDLE_TRACER } from '../telemetry/tracer.ts';
import { leanPhaseRun } from './phase-run-cache.ts';
import { type PhaseRunObjects, type RunArchive, SlotReconciler } from './reconciler.ts';

/** The run at this place of the one slot. */
function makeRun(order: number, { resourceVersion = '1', letter = 'a' } = {}): PhaseRun {
  return makePhaseRun({
    metadata: { name: `run-${order}`, uid: `uid-${order}`, resourceVersion },
    spec: { customerId: 'a customer', order },
    result: { status: 'completed', data: { letter } },
  });
}

interface Situation {
  /** As the cache shows them. */
  readonly cached: readonly PhaseRun[];
  /** As they are by now, those that are there. */
  readonly now?: readonly PhaseRun[];
  readonly read?: PhaseRunObjects['read'];
  readonly reach?: RunArchive['reach'];
}

/** Reconciles the slot, and tells what was archived and which status was written. */
async function reconcile({ cached, now = cached, reach = () => Promise.resolve(), ...changes }: Situation) {
  const archived: ArchivableRun[] = [];
  const written: string[] = [];
  const warnings: unknown[] = [];
  const reconciler = new SlotReconciler({
    archive: {
      reach,
      archive(run) {
        archived.push(run);
        return Promise.resolve({
          disposition: 'inserted',
          executionId: run.runId,
          sha256: run.sha256,
          committedAt: '2026-02-11T09:00:02Z',
          incarnation: 'here',
          transitions: [],
        });
      },
      findReading: () => Promise.resolve(undefined),
      findOwner: () => Promise.resolve(undefined),
      findCustomerOfRun: () => Promise.resolve(undefined),
    },
    objects: {
      unsettledIn: () => cached.map(leanPhaseRun),
      markWritten: () => undefined,
      read: ({ metadata: { name } }) => Promise.resolve(now.find(({ metadata }) => metadata.name === name)),
      writeStatus({ metadata }) {
        written.push(`${metadata.name} at ${metadata.resourceVersion}`);
        return Promise.resolve('written');
      },
      customerOf: () => undefined,
      ...changes,
    },
    observer: { archived: () => undefined, rejected: () => undefined },
    tracer: IDLE_TRACER,
    logger: pino({}, { write: (line: string) => warnings.push(JSON.parse(line)) }),
    now: () => new Date('2026-02-11T09:00:03Z'),
  });
  const result = await reconciler.reconcile('the slot', AbortSignal.any([])).catch((error: unknown) => error);
  return { result, data: archived.map(({ data }) => data), written, warnings };
}

describe('the runs of a slot', () => {
  test('are taken by place, with the payload that each has now', async () => {
    const cached = [makeRun(2), makeRun(1)];
    const now = [makeRun(2, { letter: 'b' }), makeRun(1)];
    expect(await reconcile({ cached, now })).toMatchObject({
      result: 'done',
      data: [{ letter: 'a' }, { letter: 'b' }],
      written: ['run-1 at 1', 'run-2 at 1'],
    });
  });

  test('are left for later where one is another than the cache shows, and so are those behind it', async () => {
    const cached = [makeRun(1), makeRun(2), makeRun(3)];
    const now = [makeRun(1), makeRun(2, { resourceVersion: '2', letter: 'b' }), makeRun(3)];
    expect(await reconcile({ cached, now })).toMatchObject({
      result: 'conflict',
      data: [{ letter: 'a' }],
      written: ['run-1 at 1'],
    });
  });

  test('are taken without one that is gone', async () => {
    const cached = [makeRun(1), makeRun(2)];
    expect(await reconcile({ cached, now: [makeRun(2)] })).toMatchObject({
      result: 'done',
      written: ['run-2 at 1'],
    });
  });

  const away = new Error('away');

  test('wait while one of them cannot be read', async () => {
    const cached = [makeRun(1), makeRun(2)];
    const read: PhaseRunObjects['read'] = () => Promise.reject(away);
    expect(await reconcile({ cached, read })).toMatchObject({
      result: away,
      data: [],
      written: [],
      warnings: [{ phaserun: keyOf(makeRun(1).metadata), err: { message: 'away' } }],
    });
  });

  test('are not read while Postgres is away', async () => {
    let reads = 0;
    const read: PhaseRunObjects['read'] = () => {
      reads += 1;
      return Promise.resolve(undefined);
    };
    const reach = () => Promise.reject(away);
    expect(await reconcile({ cached: [makeRun(1)], read, reach })).toMatchObject({ result: away });
    expect(reads).toBe(0);
  });
});
