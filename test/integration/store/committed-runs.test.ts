import { randomUUID } from 'node:crypto';
import { sql } from 'slonik';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import type { ArchivableRun } from '../../../src/domain/run.ts';
import { archiveRun } from '../../../src/store/archive.ts';
import { listCommittedRuns } from '../../../src/store/committed-runs.ts';
import { createCommittedRunsListener } from '../../../src/store/committed-runs-listener.ts';
import { freshDatabase } from '../../fixtures/database.ts';
import { makeCustomer, makeRun, openDatabase, silent } from './builders.ts';

const { url } = await freshDatabase();
const database = await openDatabase(url);
const { pool } = database;
const options = { pool, applicationName: 'listener-test', logger: silent };
const listener = createCommittedRunsListener({ ...options, url });
/** Hears nothing: what it finds, it has looked up. */
const deaf = createCommittedRunsListener({ ...options, url: undefined });
afterAll(async () => {
  await listener.close();
  await deaf.close();
  await database.close();
});

beforeAll(() =>
  vi.waitUntil(async () => {
    const { rowCount } = await pool.query(sql.unsafe`
      SELECT FROM pg_stat_activity WHERE application_name = 'listener-test' AND query LIKE 'LISTEN%' AND state = 'idle'
    `);
    return rowCount === 1;
  }, 20_000),
);

const wait = ({ runId, sha256, status }: ArchivableRun, timeoutMs = 30_000, signal?: AbortSignal) =>
  listener.waitFor(runId, { sha256, status, timeoutMs, ...(signal && { signal }) });

const makeOne = async (change: object = {}) =>
  makeRun({ customerId: (await makeCustomer(pool)).customerId, order: 1024, ...change });

describe('waitFor', () => {
  test('tells everyone who waits what became of the run', async () => {
    const run = await makeOne();
    const waiting = [wait(run), wait(run)];
    const outcome = await archiveRun(pool, run);
    const told = {
      runId: run.runId,
      disposition: 'inserted',
      sha256: run.sha256,
      status: 'completed',
      executionId: run.runId,
      sessionId: 'session' in outcome ? outcome.session?.id : undefined,
      sessionState: 'active',
    };
    expect(await Promise.all(waiting)).toEqual([told, told]);
  });

  test.each([
    { name: 'a duplicate', change: {}, again: { runId: randomUUID() }, want: 'duplicate' },
    { name: 'a run that is there already', change: {}, again: {}, want: 'unchanged' },
    { name: 'a rejected run', change: {}, again: { data: { other: 1 } }, want: 'rejected' },
    {
      name: 'a quarantined run',
      change: {},
      again: { runId: randomUUID(), data: { bad: '\0' } },
      want: 'quarantined',
    },
  ])('tells of $name', async ({ change, again, want }) => {
    const first = await makeOne(change);
    const toldFirst = wait(first);
    await archiveRun(pool, first);
    await toldFirst;
    const run = makeRun({ ...first, ...again });
    const told = wait(run);
    await archiveRun(pool, run);
    expect(await told).toMatchObject({ runId: run.runId, disposition: want });
  });

  test('is not woken by the row as it was before, not even one of the same digest', async () => {
    const running = await makeOne({ status: 'running', data: {} });
    const completed = makeRun({ ...running, order: 2048, status: 'completed' });
    expect(completed.sha256).toBe(running.sha256);
    const told = wait(completed);
    await archiveRun(pool, running);
    await archiveRun(pool, completed);
    expect(await told).toMatchObject({ disposition: 'updated', status: 'completed' });
  });

  test('gives up with nothing, in time and when told to', async () => {
    const run = await makeOne();
    expect(await wait(run, 1)).toBeUndefined();
    expect(await wait(run, 30_000, AbortSignal.abort())).toBeUndefined();
    const controller = new AbortController();
    const waiting = wait(run, 30_000, controller.signal);
    controller.abort();
    expect(await waiting).toBeUndefined();
  });

  test('looks once more before it gives up', async () => {
    const run = await makeOne();
    await archiveRun(pool, run);
    const { runId, sha256, status } = run;
    expect(await deaf.waitFor(runId, { sha256, status, timeoutMs: 1 })).toMatchObject({
      runId,
      disposition: 'unchanged',
      sessionState: 'active',
    });
    expect(await deaf.waitFor(runId, { sha256, status: 'failed', timeoutMs: 1 })).toBeUndefined();
  });

  test('ends when the listener closes', async () => {
    const closing = createCommittedRunsListener({ ...options, url });
    const { runId, sha256, status } = await makeOne();
    const waiting = closing.waitFor(runId, { sha256, status, timeoutMs: 30_000 });
    await closing.close();
    expect(await waiting).toBeUndefined();
    expect(await closing.waitFor(runId, { sha256, status, timeoutMs: 30_000 })).toBeUndefined();
  });
});

test('listCommittedRuns knows rows of every phase, duplicates and tombstones, and nothing of others', async () => {
  const scan = await makeOne({ phase: 'scan' });
  const { customerId } = scan;
  const validation = makeRun({ customerId, order: 1024 });
  const mitigation = makeRun({ customerId, order: 1024, phase: 'mitigation', data: { fixed: true } });
  const duplicate = makeRun({ customerId, order: 2048, phase: 'scan' });
  for (const run of [scan, validation, mitigation, duplicate]) await archiveRun(pool, run);
  const purged = makeRun({ customerId });
  await pool.query(sql.unsafe`
    INSERT INTO run_tombstones (run_id, customer_id, reason, sha256)
    VALUES (${purged.runId}, ${customerId}, 'purged', decode(${purged.sha256}, 'hex'))
  `);
  const runs = [scan, validation, mitigation, duplicate, purged];
  const found = await listCommittedRuns(pool, [...runs.map(({ runId }) => runId), randomUUID()]);
  const byId = new Map(found.map((each) => [each.runId, each]));
  expect(runs.map(({ runId }) => byId.get(runId))).toMatchObject([
    { disposition: 'unchanged', executionId: scan.runId, status: 'completed', sessionState: 'completed' },
    { disposition: 'unchanged', executionId: validation.runId, sessionState: 'completed' },
    { disposition: 'unchanged', executionId: mitigation.runId, sessionState: 'completed' },
    {
      disposition: 'duplicate',
      executionId: scan.runId,
      sha256: duplicate.sha256,
      sessionState: 'completed',
    },
    { disposition: 'purged', executionId: purged.runId },
  ]);
  expect(found).toHaveLength(5);
});
