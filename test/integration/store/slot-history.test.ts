import { sql } from 'slonik';
import { afterAll, beforeEach, describe, expect, test } from 'vitest';
import { z } from 'zod';
import { archiveRun } from '../../../src/store/archive.ts';
import { deleteIssueRuns } from '../../../src/store/issue-deletion.ts';
import { findHistoricPlace } from '../../../src/store/slot-history.ts';
import { freshDatabase } from '../../fixtures/database.ts';
import { makeCustomer, makeRun, openDatabase, repository } from './builders.ts';

const { url } = await freshDatabase();
const database = await openDatabase(url);
afterAll(() => database.close());
const { pool } = database;

let customerId: string;
beforeEach(async () => {
  ({ customerId } = await makeCustomer(pool));
});

const minute = (n: number) => `2026-03-01T10:${String(n).padStart(2, '0')}:00.000Z`;

/** A row at this place that arrived in this minute. */
async function put(order: number, arrivedAt: number, phase: 'validation' | 'mitigation' = 'validation') {
  const run = makeRun({ customerId, phase, order, data: { order } });
  await archiveRun(pool, run);
  await pool.query(
    phase === 'validation'
      ? sql.type(
          z.object({}),
        )`UPDATE validation_executions SET updated_at = ${minute(arrivedAt)} WHERE id = ${run.runId}`
      : sql.type(
          z.object({}),
        )`UPDATE mitigation_executions SET updated_at = ${minute(arrivedAt)} WHERE id = ${run.runId}`,
  );
}

const place = (storedAt: number, phase: 'validation' | 'mitigation' = 'validation') =>
  findHistoricPlace(pool, {
    customerId,
    phase,
    repository: repository(),
    issueNumber: 1204,
    storedAt: minute(storedAt),
  });

describe('the place of a run that was stored at minute 10', () => {
  const cases = [
    { name: 'an empty slot', rows: [], want: null },
    { name: 'only older runs', rows: [[1024, 5]], want: null },
    { name: 'one newer run', rows: [[4096, 20]], want: { order: 1, below: 4096 } },
    {
      name: 'an older one and a newer one',
      rows: [
        [2048, 5],
        [4096, 20],
      ],
      want: { order: 2049, below: 4096 },
    },
    {
      name: 'several newer ones: before the first',
      rows: [
        [2048, 5],
        [4096, 20],
        [5120, 30],
      ],
      want: { order: 2049, below: 4096 },
    },
    {
      name: 'another late one that came before it: behind that',
      rows: [
        [2048, 5],
        [2049, 25],
        [4096, 20],
      ],
      want: { order: 2050, below: 4096 },
    },
    {
      name: 'a newest run that was ordered without the sequence, and older ones',
      rows: [
        [2048, 5],
        [2049, 20],
      ],
      want: { order: 1, below: 2049 },
    },
    {
      name: 'no room at all: beside the neighbour, not behind the newer one',
      rows: [
        [1, 5],
        [2, 20],
      ],
      want: { order: 1, below: 2 },
    },
  ] as const;
  test.each(cases)('with $name', async ({ rows, want }) => {
    for (const [order, arrivedAt] of rows) await put(order, arrivedAt);
    expect(await place(10)).toEqual(want);
  });
});

test('validation and mitigation have one order', async () => {
  await put(2048, 20, 'mitigation');
  expect(await place(10, 'validation')).toEqual({ order: 1, below: 2048 });
});

test('another issue and another customer do not matter', async () => {
  await put(2048, 20);
  const other = { customerId, phase: 'validation', repository: repository(), storedAt: minute(10) } as const;
  expect(await findHistoricPlace(pool, { ...other, issueNumber: 5 })).toBeNull();
  const stranger = (await makeCustomer(pool)).customerId;
  expect(await findHistoricPlace(pool, { ...other, customerId: stranger, issueNumber: 1204 })).toBeNull();
});

test('scans are placed by their commit, or by their issue where they have none', async () => {
  const scan = { customerId, phase: 'scan', repository: repository(), storedAt: minute(10) } as const;
  await archiveRun(pool, makeRun({ customerId, phase: 'scan', order: 2048 }));
  expect(await findHistoricPlace(pool, { ...scan, commitSha: '7776c71' })).toMatchObject({ below: 2048 });
  expect(await findHistoricPlace(pool, { ...scan, commitSha: 'other' })).toBeNull();
  expect(await findHistoricPlace(pool, { ...scan, issueNumber: 1204 })).toBeNull();
});

describe('a deletion', () => {
  const deleteAll = (deletedAt: number) =>
    pool.transaction(async (transaction) => {
      await deleteIssueRuns(transaction, {
        customerId,
        repository: repository(),
        issueNumber: 1204,
        actor: 'key:test',
      });
      await transaction.query(sql.type(z.object({}))`
        UPDATE slot_tombstones SET created_at = ${minute(deletedAt)} WHERE customer_id = ${customerId}
      `);
    });

  test('since then takes the run with it', async () => {
    await deleteAll(20);
    const found = await place(10);
    const run = makeRun({ customerId, ...(found && { order: found.order }) });
    expect(await archiveRun(pool, run)).toMatchObject({ disposition: 'deleted' });
  });

  test('before it does not, even where newer runs put it into history', async () => {
    await deleteAll(5);
    expect(await place(10)).toBeNull();
    await archiveRun(pool, makeRun({ customerId }));
    const found = await place(10);
    const run = makeRun({ customerId, data: { late: true }, ...(found && { order: found.order }) });
    expect(await archiveRun(pool, run)).toMatchObject({ disposition: 'inserted' });
  });
});
