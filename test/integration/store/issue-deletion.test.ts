import { randomUUID } from 'node:crypto';
import { sql } from 'slonik';
import { afterAll, beforeEach, expect, test } from 'vitest';
import { z } from 'zod';
import { archiveRun } from '../../../src/store/archive.ts';
import { deleteIssueRuns } from '../../../src/store/issue-deletion.ts';
import { verifyReceipts } from '../../../src/store/receipts.ts';
import { drawRunOrder } from '../../../src/store/slots.ts';
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

const remove = (issueNumber = 1204, of = customerId) =>
  pool.transaction((transaction) =>
    deleteIssueRuns(transaction, {
      customerId: of,
      repository: repository(),
      issueNumber,
      actor: 'key:test',
    }),
  );

async function rowIds(): Promise<readonly string[]> {
  const rows = await pool.any(sql.type(z.object({ id: z.string() }))`
    SELECT id FROM scan_executions WHERE customer_id = ${customerId}
    UNION ALL SELECT id FROM validation_executions WHERE customer_id = ${customerId}
    UNION ALL SELECT id FROM mitigation_executions WHERE customer_id = ${customerId}
  `);
  return rows.map(({ id }) => id);
}

/** A scan that is known by its issue. */
function makeScanOfIssue(issueNumber: number) {
  const { commitSha: _commit, slot: _slot, ...scan } = makeRun({ customerId, phase: 'scan', issueNumber });
  return { ...scan, slot: `github/acme/nodegoat?issue=${issueNumber}` };
}

test('takes the rows of the issue and no others', async () => {
  const gone = [
    makeRun({ customerId }),
    makeRun({ customerId, phase: 'mitigation', data: { fixed: true } }),
    makeScanOfIssue(1204),
  ];
  const staying = [
    makeRun({ customerId, issueNumber: 1205 }),
    makeRun({ customerId, repository: repository('other') }),
    makeRun({ customerId, phase: 'scan', issueNumber: 1204 }),
    makeScanOfIssue(1205),
  ];
  for (const run of [...gone, ...staying]) await archiveRun(pool, run);
  expect(await remove()).toBe(gone.length);
  expect((await rowIds()).toSorted()).toEqual(staying.map(({ runId }) => runId).toSorted());
});

test('takes nothing of another customer', async () => {
  const run = makeRun({ customerId });
  await archiveRun(pool, run);
  expect(await remove(1204, (await makeCustomer(pool)).customerId)).toBe(0);
  expect(await rowIds()).toEqual([run.runId]);
});

test('no run that was ordered before is stored after it, whether it had a row or not', async () => {
  const archived = makeRun({ customerId, order: await drawRunOrder(pool) });
  const applied = makeRun({ customerId, data: { applied: true } });
  const waiting = makeRun({ customerId, order: await drawRunOrder(pool), data: { late: true } });
  await archiveRun(pool, archived);
  await archiveRun(pool, applied);
  await remove();
  for (const run of [archived, applied, waiting, waiting]) {
    expect(await archiveRun(pool, run)).toMatchObject({ disposition: 'deleted', executionId: run.runId });
  }
  expect(await rowIds()).toEqual([]);
});

test('what was deleted counts as kept, so that its PhaseRun may go', async () => {
  const run = makeRun({ customerId });
  await archiveRun(pool, run);
  await remove();
  const receipt = { runId: run.runId, executionId: run.runId, sha256: run.sha256 };
  expect(await verifyReceipts(pool, [receipt])).toEqual(new Set([run.runId]));
});

test('a run that is ordered later is stored, and deleted by the next deletion', async () => {
  await remove();
  const later = makeRun({ customerId, order: await drawRunOrder(pool) });
  expect(await archiveRun(pool, later)).toMatchObject({ disposition: 'inserted' });
  expect(await remove()).toBe(1);
  expect(await archiveRun(pool, later)).toMatchObject({ disposition: 'deleted' });
});

test('takes what was quarantined, too', async () => {
  const bad = makeRun({ customerId, data: { bad: '\0' } });
  expect(await archiveRun(pool, bad)).toMatchObject({ disposition: 'quarantined' });
  await remove();
  const left = await pool.any(sql.type(z.object({}))`
    SELECT run_id FROM quarantined_runs WHERE customer_id = ${customerId}
  `);
  expect(left).toEqual([]);
});

test('leaves the session and says in the audit who did it', async () => {
  const archived = await archiveRun(pool, makeRun({ customerId }));
  await remove();
  const state = await pool.one(
    sql.type(z.object({ sessions: z.number(), events: z.array(z.looseObject({})) }))`
      SELECT
        (SELECT count(*) FROM sessions WHERE customer_id = ${customerId}) AS sessions,
        (
          SELECT jsonb_agg(metadata) FROM audit_events
          WHERE customer_id = ${customerId} AND event_type = 'phase_data.deleted'
        ) AS events
    `,
  );
  expect(archived).toMatchObject({ session: { state: 'active' } });
  expect(state).toEqual({
    sessions: 1,
    events: [{ repository: 'github/acme/nodegoat', issueNumber: 1204, actor: 'key:test', executions: 1 }],
  });
});

test('many at once, with stores between them, end without a row of before', async () => {
  const earlier = await Promise.all(
    Array.from({ length: 8 }, async (_, n) =>
      makeRun({ customerId, order: await drawRunOrder(pool), data: { n, id: randomUUID() } }),
    ),
  );
  await Promise.all([...earlier.map((run) => archiveRun(pool, run)), remove(), remove()]);
  expect(await rowIds()).toEqual([]);
});
