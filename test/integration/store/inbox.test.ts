import { randomUUID } from 'node:crypto';
import { sql } from 'slonik';
import { afterAll, beforeEach, expect, test } from 'vitest';
import { z } from 'zod';
import { parseApiKey } from '../../../src/store/api-key.ts';
import { createApiKey } from '../../../src/store/api-keys.ts';
import { admitStore, type StoreAdmissionRequest } from '../../../src/store/admission.ts';
import type { Connection } from '../../../src/store/database.ts';
import { putInboxRun } from '../../../src/store/inbox.ts';
import {
  type ClaimedInboxRun,
  claimInboxRuns,
  deletePublishedRun,
  postponeInboxRun,
  quarantineInboxRun,
  releaseInboxRuns,
} from '../../../src/store/inbox-claims.ts';
import { deleteIssueRuns } from '../../../src/store/issue-deletion.ts';
import { findLatePlace } from '../../../src/store/late-place.ts';
import { digestOf } from '../../../src/domain/digest.ts';
import { deleteUnusedPayloads, putPayload } from '../../../src/store/payloads.ts';
import { freshDatabase } from '../../fixtures/database.ts';
import { makeCustomer, openDatabase, repository } from './builders.ts';
import { keepInbox, ROOMY } from './inbox-rows.ts';
import { countRows } from './rows.ts';

const { url } = await freshDatabase();
const database = await openDatabase(url);
afterAll(() => database.close());
const { pool } = database;

let customerId: string;
let namespace: string;
beforeEach(async () => {
  await pool.query(sql.type(z.object({}))`DELETE FROM inbox_runs`);
  await pool.query(sql.type(z.object({}))`DELETE FROM payloads`);
  ({ customerId, namespace } = await makeCustomer(pool));
});

const claim = async (leaseSeconds = 30) => (await claimInboxRuns(pool, { slots: 10, leaseSeconds })).flat();
const idsOf = (claims: readonly ClaimedInboxRun[]) => claims.map(({ storeId }) => storeId).toSorted();

/** Makes everything in the inbox due. */
async function makeDue(): Promise<void> {
  await pool.query(sql.type(z.object({}))`UPDATE inbox_runs SET next_attempt_at = now()`);
}

test('what is kept comes out as it went in', async () => {
  const data = { n: 1e21, text: 'a"\\ü\u2028', nested: [{ empty: {} }] };
  const kept = await keepInbox(pool, {
    customerId,
    data,
    request: { errorMessage: 'x' },
    apiKeyId: 'key',
    orderBelow: 9_000_000,
  });
  const [claimed] = await claim();
  expect(claimed).toMatchObject({
    storeId: kept.storeId,
    runId: kept.storeId,
    customerId,
    order: kept.order,
    orderBelow: 9_000_000,
    apiKeyId: 'key',
    request: kept.request,
    digest: { sha256: kept.digest.sha256, sizeBytes: kept.digest.sizeBytes },
    attempt: 1,
  });
});

test('the same store again is the same row, and answers the run that is there', async () => {
  const kept = await keepInbox(pool, { customerId });
  expect(await putInboxRun(pool, { ...kept, runId: randomUUID() }, ROOMY)).toEqual({ runId: kept.runId });
  expect(await putInboxRun(pool, kept, { runs: 0, bytes: 0 })).toEqual({ runId: kept.runId });
  expect(await countRows(pool, 'inbox_runs', customerId)).toBe(1);
});

test.each([
  { name: 'as many stores as it may hold', limits: { runs: 1, bytes: 1_000 } },
  { name: 'as many bytes as it may hold', limits: { runs: 10, bytes: 20 } },
])('a store is not kept beside $name', async ({ limits }) => {
  const kept = await keepInbox(pool, { customerId });
  expect(await putInboxRun(pool, { ...kept, storeId: randomUUID() }, limits)).toBeNull();
  expect(await countRows(pool, 'inbox_runs', customerId)).toBe(1);
});

test('what waits of a slot is claimed in its order, and what comes behind it when that is gone', async () => {
  const late = await keepInbox(pool, { customerId });
  const early = await keepInbox(pool, { customerId, order: late.order - 1_000 });
  const other = await keepInbox(pool, { customerId, request: { issueNumber: 7 } });
  const slots = await claimInboxRuns(pool, { slots: 10, leaseSeconds: 30 });
  expect(new Set(slots.map((stores) => stores.map(({ storeId }) => storeId).join(' ')))).toEqual(
    new Set([`${early.storeId} ${late.storeId}`, other.storeId]),
  );
  const behind = await keepInbox(pool, { customerId });
  expect(await claim()).toEqual([]);
  for (const claimed of slots.flat()) await deletePublishedRun(pool, claimed);
  expect(idsOf(await claim())).toEqual([behind.storeId]);
});

test('what was claimed and not tried is due again, as if it had not been claimed', async () => {
  const kept = await keepInbox(pool, { customerId });
  await releaseInboxRuns(pool, await claim());
  expect(await claim()).toMatchObject([{ storeId: kept.storeId, attempt: 1 }]);
});

test('many who claim at once never get the same store', async () => {
  for (let issueNumber = 1; issueNumber <= 30; issueNumber += 1)
    await keepInbox(pool, { customerId, request: { issueNumber } });
  const claims = await Promise.all(Array.from({ length: 8 }, () => claim()));
  const all = claims.flatMap((each) => idsOf(each));
  expect(new Set(all).size).toBe(all.length);
});

test('a claim whose lease has ended is made again, and counts', async () => {
  await keepInbox(pool, { customerId });
  await claim(0);
  expect(await claim()).toMatchObject([{ attempt: 2 }]);
});

test('what is postponed is due later, and holds up its slot', async () => {
  await keepInbox(pool, { customerId });
  await keepInbox(pool, { customerId });
  const [claimed, behind] = await claim();
  await postponeInboxRun(pool, required(claimed), { error: 'forbidden \0', retryInSeconds: 3_600 });
  await releaseInboxRuns(pool, [required(behind)]);
  expect(await claim()).toEqual([]);
  await makeDue();
  expect((await claim()).map(({ storeId }) => storeId)).toEqual([claimed?.storeId, behind?.storeId]);
});

test('what Kubernetes refuses is quarantined whole, with its payload', async () => {
  const data = { large: 'x'.repeat(20_000) };
  const kept = await keepInbox(pool, { customerId, data, byReference: true });
  await putPayload(pool, { customerId, phase: kept.request.phase, data, digest: digestOf(data) });
  const [claimed] = await claim();
  await quarantineInboxRun(pool, required(claimed), { namespace: 'acme', message: 'no \0' });
  expect(await countRows(pool, 'inbox_runs', customerId)).toBe(0);
  const row = z.object({ run_id: z.string(), message: z.string(), content: z.string() });
  const quarantined = await pool.one(sql.type(row)`
    SELECT run_id, message, convert_from(content, 'UTF8') AS content FROM quarantined_runs WHERE customer_id = ${customerId}
  `);
  expect(quarantined).toMatchObject({ run_id: kept.storeId, message: 'no \uFFFD' });
  expect(JSON.parse(quarantined.content)).toMatchObject({ request: { data } });
});

test('a deletion on request takes what was ordered before it, of that issue alone', async () => {
  await keepInbox(pool, { customerId });
  const other = await keepInbox(pool, { customerId, request: { issueNumber: 7 } });
  await pool.transaction((transaction) =>
    deleteIssueRuns(transaction, {
      customerId,
      repository: repository(),
      issueNumber: 1204,
      actor: 'key:test',
    }),
  );
  expect(idsOf(await claim())).toEqual([other.storeId]);
});

test('the sweep spares the payload of what waits, and of what was just published', async () => {
  const data = { large: 'x'.repeat(20_000) };
  const kept = await keepInbox(pool, { customerId, data, byReference: true });
  await putPayload(pool, { customerId, phase: kept.request.phase, data, digest: digestOf(data) });
  const age = () =>
    pool.query(sql.type(z.object({}))`UPDATE payloads SET touched_at = now() - interval '25 hours'`);
  const sweep = () => deleteUnusedPayloads(pool, { inUse: [], limit: 100 });
  await age();
  expect(await sweep()).toBe(0);
  const [claimed] = await claim();
  await deletePublishedRun(pool, required(claimed));
  expect(await sweep()).toBe(0);
  await age();
  expect(await sweep()).toBe(1);
});

test.each([
  { name: 'behind what was kept before it', keptBefore: true },
  { name: 'before what was kept since', keptBefore: false },
])('a result that comes late is placed $name', async ({ keptBefore }) => {
  const kept = await keepInbox(pool, { customerId });
  const storedAt = new Date(Date.now() + (keptBefore ? 1_000 : -60_000)).toISOString();
  const place = await findLatePlace(pool, { ...kept.request, customerId, storedAt });
  expect(place.order > kept.order).toBe(keptBefore);
  expect(place.below <= kept.order).toBe(!keptBefore);
});

test('the admission tells what of its slot waits, and which run of it to move forward', async () => {
  const subject: StoreAdmissionRequest = {
    phase: 'validation',
    repository: repository('nodegoat', namespace),
    issueNumber: 1204,
    commitSha: '7776c71',
    pipelineRunId: '42',
  };
  const admit = (change: object = {}) => admitAs(pool, customerId, { ...subject, ...change });
  const empty = { isSlotWaiting: false, run: null };
  expect((await admit()).inbox).toEqual(empty);
  const request = { repository: subject.repository, pipelineRunId: '42', status: 'running' } as const;
  const running = await keepInbox(pool, { customerId, request });
  expect((await admit()).inbox).toMatchObject({
    isSlotWaiting: true,
    run: { runId: running.runId, status: 'running' },
  });
  expect((await admit({ pipelineRunId: '43' })).inbox).toEqual({ isSlotWaiting: true, run: null });
  expect((await admit({ phase: 'mitigation' })).inbox).toEqual({ isSlotWaiting: true, run: null });
  expect((await admit({ issueNumber: 7 })).inbox).toEqual(empty);

  await keepInbox(pool, { customerId, runId: running.runId, request: { ...request, status: 'completed' } });
  expect((await admit()).inbox).toEqual({ isSlotWaiting: true, run: null });
  expect((await admit({ runId: running.runId })).inbox).toMatchObject({ run: { status: 'completed' } });
  const stranger = await makeCustomer(pool, `${namespace}-other`);
  expect(
    (
      await admitAs(pool, stranger.customerId, {
        ...subject,
        repository: repository('nodegoat', stranger.namespace),
      })
    ).inbox,
  ).toEqual(empty);
});

async function admitAs(connection: Connection, customer: string, request: StoreAdmissionRequest) {
  const { apiKey } = await createApiKey(connection, {
    customerId: customer,
    name: 'ci',
    scopes: ['phases:write'],
  });
  return admitStore(connection, required(parseApiKey(apiKey)), request);
}

function required<T>(value: T | undefined): T {
  if (value === undefined) throw new Error('there is none');
  return value;
}
