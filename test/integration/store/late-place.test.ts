import { sql } from 'slonik';
import { afterAll, beforeEach, describe, expect, test } from 'vitest';
import { z } from 'zod';
import { slotOf } from '../../../src/domain/slot.ts';
import { archiveRun } from '../../../src/store/archive.ts';
import { deleteIssueRuns } from '../../../src/store/issue-deletion.ts';
import { findLatePlace } from '../../../src/store/late-place.ts';
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

/** The place in a slot of which nothing is known. */
const FREE = { order: 1, below: 1024 };

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

const slot = slotOf({ phase: 'validation', repository: repository(), issueNumber: 1204 });

/** The key of a store that drew this place in this minute. */
async function claim(order: number, at: number) {
  await pool.query(sql.type(z.object({}))`
    INSERT INTO idempotency_keys (
      customer_id, scope_sha256, fingerprint_sha256, slot, run_order, claimed_until, created_at, expires_at
    )
    VALUES (
      ${customerId}, sha256(${String(order)}::text::bytea), sha256('request'), ${slot}, ${order}, now(), ${minute(at)},
      now() + interval '1 day'
    )
  `);
}

const place = (storedAt: number, phase: 'validation' | 'mitigation' = 'validation') =>
  findLatePlace(pool, {
    customerId,
    phase,
    repository: repository(),
    issueNumber: 1204,
    storedAt: minute(storedAt),
  });

test('one whose first try drew its place before comes before it, however late it became a row', async () => {
  await put(1024, 5);
  await put(4096, 20);
  expect(await place(10)).toEqual({ order: 1025, below: 2048 });
  await claim(4096, 9);
  expect(await place(10)).toEqual({ order: 4097, below: 5120 });
  expect(await place(8)).toEqual({ order: 1025, below: 2048 });
});

test('what waited for an outage to end, and became a row late, is before what is known to have come before', async () => {
  await put(1024, 5);
  await put(2048, 20);
  await put(4096, 20);
  await claim(4096, 9);
  expect(await place(10)).toEqual({ order: 4097, below: 5120 });
});

test('what came with a key counts from then on, though it is neither a row nor in the inbox yet', async () => {
  await put(1024, 5);
  await claim(3072, 8);
  await claim(5120, 20);
  expect(await place(10)).toEqual({ order: 3073, below: 4096 });
  expect(await place(6)).toEqual({ order: 1025, below: 2048 });
  expect(await place(30)).toEqual({ order: 5121, below: 6144 });
});

describe('the place of a run that was stored at minute 10', () => {
  const cases = [
    { name: 'an empty slot', rows: [], want: { order: 1, below: 1024 } },
    { name: 'only older runs', rows: [[1024, 5]], want: { order: 1025, below: 2048 } },
    { name: 'one newer run', rows: [[4096, 20]], want: { order: 1, below: 1024 } },
    {
      name: 'an older one and a newer one',
      rows: [
        [2048, 5],
        [4096, 20],
      ],
      want: { order: 2049, below: 3072 },
    },
    {
      name: 'several newer ones: before the first',
      rows: [
        [2048, 5],
        [3072, 20],
        [5120, 30],
      ],
      want: { order: 2049, below: 3072 },
    },
    {
      name: 'a late one that came before it: behind that, although it arrived later',
      rows: [
        [2048, 5],
        [2049, 25],
      ],
      want: { order: 2050, below: 3072 },
    },
    {
      name: 'a late one, and then a newer one',
      rows: [
        [2048, 5],
        [2049, 25],
        [3072, 30],
      ],
      want: { order: 2050, below: 3072 },
    },
    {
      name: 'a full gap: beside the last one',
      rows: [
        [2047, 25],
        [2048, 20],
      ],
      want: { order: 2047, below: 2048 },
    },
  ] as const;
  test.each(cases)('with $name', async ({ rows, want }) => {
    for (const [order, arrivedAt] of rows) await put(order, arrivedAt);
    expect(await place(10)).toEqual(want);
  });
});

test('validation and mitigation have one order', async () => {
  await put(2048, 20, 'mitigation');
  expect(await place(10, 'validation')).toEqual({ order: 1, below: 1024 });
  expect(await place(30, 'validation')).toEqual({ order: 2049, below: 3072 });
});

test('another issue and another customer do not matter', async () => {
  await put(2048, 5);
  const other = { customerId, phase: 'validation', repository: repository(), storedAt: minute(10) } as const;
  expect(await findLatePlace(pool, { ...other, issueNumber: 5 })).toEqual(FREE);
  const stranger = (await makeCustomer(pool)).customerId;
  expect(await findLatePlace(pool, { ...other, customerId: stranger, issueNumber: 1204 })).toEqual(FREE);
});

test('scans are placed by their commit, or by their issue where they have none', async () => {
  const scan = { customerId, phase: 'scan', repository: repository(), storedAt: minute(10) } as const;
  await archiveRun(pool, makeRun({ customerId, phase: 'scan', order: 1025 }));
  expect(await findLatePlace(pool, { ...scan, commitSha: '7776c71' })).toEqual({ order: 1026, below: 2048 });
  expect(await findLatePlace(pool, { ...scan, commitSha: 'other' })).toEqual(FREE);
  expect(await findLatePlace(pool, { ...scan, issueNumber: 1204 })).toEqual(FREE);
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
    const run = makeRun({ customerId, order: (await place(10)).order });
    expect(await archiveRun(pool, run)).toMatchObject({ disposition: 'deleted' });
  });

  test('before it does not, even where newer runs put it into history', async () => {
    await deleteAll(5);
    await archiveRun(pool, makeRun({ customerId }));
    const run = makeRun({ customerId, data: { late: true }, order: (await place(10)).order });
    expect(await archiveRun(pool, run)).toMatchObject({ disposition: 'inserted' });
  });
});
