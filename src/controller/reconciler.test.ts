import { setImmediate } from 'node:timers/promises';
import { pino } from 'pino';
import { describe, expect, test } from 'vitest';
import { makePhaseRun } from '../../test/fixtures/phase-run.ts';
import type { ArchivableRun } from '../domain/run.ts';
import { keyOf } from '../kube/kube-object.ts';
import type { PhaseRun } from '../resources/phase-run.ts';
import { IDLE_TRACER } from '../telemetry/tracer.ts';
import { leanPhaseRun } from './phase-run-cache.ts';
import { type PhaseRunObjects, type RunArchive, SlotReconciler } from './reconciler.ts';
import { StatusLane } from './status-lane.ts';

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
  readonly writeStatus?: PhaseRunObjects['writeStatus'];
  readonly reach?: RunArchive['reach'];
  /** Called before the run at this place is archived. */
  readonly onArchive?: (order: number | undefined) => void | Promise<void>;
  readonly signal?: AbortSignal;
}

const away = new Error('away');

/** Reconciles the slot, and tells what was archived and which status was written, and in which order all that was. */
async function reconcile({
  cached,
  now = cached,
  reach = () => Promise.resolve(),
  onArchive,
  signal = AbortSignal.any([]),
  ...changes
}: Situation) {
  const archived: ArchivableRun[] = [];
  const written: string[] = [];
  const steps: string[] = [];
  const warnings: unknown[] = [];
  const reconciler = new SlotReconciler({
    archive: {
      reach,
      async archive(run) {
        await onArchive?.(run.order);
        archived.push(run);
        steps.push(`row ${run.order}`);
        return {
          disposition: 'inserted',
          executionId: run.runId,
          sha256: run.sha256,
          committedAt: '2026-02-11T09:00:02Z',
          incarnation: 'here',
          transitions: [],
        };
      },
      findReading: () => Promise.resolve(undefined),
      findOwner: () => Promise.resolve(undefined),
      findCustomerOfRun: () => Promise.resolve(undefined),
    },
    objects: {
      unsettledIn: () => cached.map(leanPhaseRun),
      markWritten: () => undefined,
      read: ({ metadata: { name } }) => Promise.resolve(now.find(({ metadata }) => metadata.name === name)),
      async writeStatus({ metadata, spec }) {
        await setImmediate();
        written.push(`${metadata.name} at ${metadata.resourceVersion}`);
        steps.push(`status ${spec.order}`);
        return 'written';
      },
      customerOf: () => undefined,
      ...changes,
    },
    statusLane: new StatusLane(1),
    observer: { archived: () => undefined, rejected: () => undefined },
    tracer: IDLE_TRACER,
    logger: pino({}, { write: (line: string) => warnings.push(JSON.parse(line)) }),
    now: () => new Date('2026-02-11T09:00:03Z'),
  });
  const turn = { signal, giveUpTurn: () => void steps.push('turn given up') };
  const result = await reconciler.reconcile('the slot', turn).catch((error: unknown) => error);
  return { result, data: archived.map(({ data }) => data), written, steps, warnings };
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

describe('statuses', () => {
  const cached = [makeRun(1), makeRun(2), makeRun(3)];

  test('are waited for by no row, nor by the next slot', async () => {
    const { result, steps } = await reconcile({ cached });
    expect(result).toBe('done');
    expect(steps).toEqual(['row 1', 'row 2', 'row 3', 'turn given up', 'status 1', 'status 2', 'status 3']);
  });

  test('are written without holding the payload meanwhile', async () => {
    const held: unknown[] = [];
    const writeStatus: PhaseRunObjects['writeStatus'] = async ({ metadata, spec }) => {
      held.push([metadata.annotations, metadata.managedFields, spec.result]);
      return 'written';
    };
    const run = makeRun(1);
    const metadata = { ...run.metadata, annotations: { applied: 'all of it' }, managedFields: [{}] };
    await reconcile({ cached: [{ ...run, metadata }], writeStatus });
    expect(held).toEqual([[undefined, undefined, { status: 'completed' }]]);
  });

  test('that reject a run are written before the next row, since a client waits for the reason', async () => {
    const unnamed = makeRun(1);
    const rejected = { ...unnamed, spec: { ...unnamed.spec, repo: 'no slash' } };
    const { steps } = await reconcile({ cached: [rejected, makeRun(2)] });
    expect(steps).toEqual(['status 1', 'row 2', 'turn given up', 'status 2']);
  });

  test('that failed keep the runs behind them from being begun', async () => {
    const writeStatus: PhaseRunObjects['writeStatus'] = () => Promise.reject(away);
    const onArchive = () => setImmediate();
    const { result, steps } = await reconcile({ cached, writeStatus, onArchive });
    expect(result).toBe(away);
    expect(steps).toEqual(['row 1', 'row 2', 'turn given up']);
  });

  test('of rows that are there are written though a later row fails', async () => {
    const onArchive = (order: number | undefined) => {
      if (order === 3) throw away;
    };
    expect(await reconcile({ cached, onArchive })).toMatchObject({
      result: away,
      written: ['run-1 at 1', 'run-2 at 1'],
      warnings: [{ phaserun: keyOf(makeRun(3).metadata) }],
    });
  });

  test('are written though an earlier one fails, and the slot is taken again', async () => {
    const written: string[] = [];
    const writeStatus: PhaseRunObjects['writeStatus'] = async ({ metadata: { name } }) => {
      if (name === 'run-1') throw away;
      written.push(name);
      return 'written';
    };
    expect(await reconcile({ cached: [makeRun(1), makeRun(2)], writeStatus })).toMatchObject({
      result: away,
      warnings: [{ phaserun: keyOf(makeRun(1).metadata) }],
    });
    expect(written).toEqual(['run-2']);
  });

  test('of objects that have changed have the slot taken again', async () => {
    const writeStatus: PhaseRunObjects['writeStatus'] = async ({ metadata: { name } }) =>
      name === 'run-2' ? 'conflict' : 'written';
    expect(await reconcile({ cached, writeStatus })).toMatchObject({ result: 'conflict' });
  });

  test('that wait when the term ends are left to the next leader', async () => {
    const ending = new AbortController();
    const onArchive = (order: number | undefined) => {
      if (order === 3) ending.abort();
    };
    const { steps, warnings } = await reconcile({ cached, onArchive, signal: ending.signal });
    expect(steps).toEqual(['row 1', 'row 2', 'row 3', 'turn given up', 'status 1']);
    expect(warnings).toEqual([]);
  });
});
