import { randomBytes, randomUUID } from 'node:crypto';
import { sql } from 'slonik';
import { describe, expect, test } from 'vitest';
import { createApiKey } from '../../../src/store/api-keys.ts';
import { freshDatabase } from '../../fixtures/database.ts';
import { freshNamespace, ownKubernetes } from '../../fixtures/kubernetes.ts';
import { ownRedis } from '../../fixtures/redis.ts';
import { countRows } from '../store/rows.ts';
import {
  type ApiAnswer,
  type ApiUnderTest,
  countStored,
  makeTenant,
  retrieve,
  send,
  startApi,
  startController,
  type Tenant,
} from './api-under-test.ts';

const { kubeconfigPath } = await ownKubernetes();
const { url: databaseUrl } = await freshDatabase();
const namespace = await freshNamespace({ kubeconfigPath });
await startController({ kubeconfigPath, databaseUrl });
const redis = await ownRedis();

interface Store {
  readonly by: Pick<Tenant, 'apiKey'>;
  readonly key?: string;
  readonly body: object;
  readonly headers?: Record<string, string>;
  readonly path?: string;
}

function storeWith(
  api: Pick<ApiUnderTest, 'url'>,
  { by, key, body, headers = {}, path = '/api/v1/phases/store' }: Store,
): Promise<ApiAnswer> {
  return send(api as ApiUnderTest, path, {
    method: 'POST',
    headers: {
      'x-api-key': by.apiKey,
      'content-type': 'application/json',
      ...(key !== undefined && { 'idempotency-key': key }),
      ...headers,
    },
    body: JSON.stringify(body),
  });
}

function freshValidation({ owner }: Tenant, overrides: object = {}) {
  const repo = `${owner}/repo-${randomBytes(4).toString('hex')}`;
  return {
    phase: 'validation',
    repo,
    issueNumber: 7,
    commitSha: 'c0ffee',
    data: { validated: true },
    ...overrides,
  };
}

function isReplay({ headers }: ApiAnswer): boolean {
  return headers.get('idempotency-replayed') === 'true';
}

/** What a process leaves behind that dies before it has noted its answer, and whose time is up. */
async function forgetAnswers({ pool }: ApiUnderTest, { customerId }: Tenant): Promise<void> {
  await pool.query(sql.unsafe`
    UPDATE idempotency_keys SET status = NULL, headers = '{}', body = NULL, claimed_until = now()
    WHERE customer_id = ${customerId}
  `);
}

describe.each([
  { name: 'without Redis', redisUrl: undefined },
  // A machine without one skips what needs it; CI has one.
  ...(redis === undefined ? [] : [{ name: 'with Redis', redisUrl: redis.url }]),
])('$name', async ({ redisUrl }) => {
  const api = await startApi({
    kubeconfigPath,
    databaseUrl,
    namespace,
    ...(redisUrl !== undefined && { redisUrl }),
  });
  const phaseRunsOf = async ({ customerId }: Tenant) =>
    (await api.phaseRuns.list({ namespace })).filter(({ spec }) => spec.customerId === customerId);

  test('the same again is answered the same, and stored once', async () => {
    const by = await makeTenant(api.pool);
    const sent = { by, key: randomUUID(), body: freshValidation(by) };
    const first = await storeWith(api, sent);
    expect(first).toMatchObject({
      status: 200,
      body: { success: true, id: expect.stringMatching(/^.{14}8/) },
    });
    const again = await storeWith(api, sent);
    expect([isReplay(first), isReplay(again)]).toEqual([false, true]);
    expect({ status: again.status, body: again.body }).toEqual({ status: 200, body: first.body });
    expect(await phaseRunsOf(by)).toHaveLength(1);
  });

  test('the same again long after, by which time the slot has moved on, changes nothing', async () => {
    const by = await makeTenant(api.pool);
    const old = freshValidation(by, { data: { n: 1 } });
    const key = randomUUID();
    await storeWith(api, { by, key, body: old });
    await storeWith(api, { by, key: randomUUID(), body: { ...old, data: { n: 2 } } });
    expect(isReplay(await storeWith(api, { by, key, body: old }))).toBe(true);
    const late = { 'x-phase-stored-at': '2026-01-01T00:00:00Z' };
    expect(isReplay(await storeWith(api, { by, key, body: old, headers: late }))).toBe(true);
    const found = await retrieve(api, by, { repo: old.repo, issue: '7' });
    expect(found.body.validation['issue-7']).toEqual({ n: 2 });
    expect(await countRows(api.pool, 'validation_executions', by.customerId)).toBe(2);
  });

  test('the same key with another result is refused, and nothing is stored', async () => {
    const by = await makeTenant(api.pool);
    const key = randomUUID();
    const body = freshValidation(by);
    await storeWith(api, { by, key, body });
    const before = await countStored(api);
    for (const other of [
      { data: { validated: false } },
      { status: 'failed' },
      { branch: 'main' },
      { issueNumber: 8 },
    ]) {
      const refused = await storeWith(api, { by, key, body: { ...body, ...other } });
      expect(refused).toMatchObject({ status: 422, body: { code: 'IDEMPOTENCY_KEY_REUSED' } });
    }
    expect(await countStored(api)).toEqual(before);
  });

  test('the key of another customer, or of another caller of this one, is another key', async () => {
    const by = await makeTenant(api.pool);
    const stranger = await makeTenant(api.pool);
    const { customerId } = by;
    const colleague = await createApiKey(api.pool, { customerId, name: 'other', scopes: ['phases:write'] });
    const key = randomUUID();
    const body = freshValidation(by);
    const first = await storeWith(api, { by, key, body });
    const theirs = await storeWith(api, { by: stranger, key, body: freshValidation(stranger) });
    const same = await storeWith(api, { by: colleague, key, body });
    const different = await storeWith(api, {
      by: colleague,
      key: `${key}2`,
      body: { ...body, data: { n: 2 } },
    });
    const answers = [first, theirs, same, different];
    expect(answers.map(({ status }) => status)).toEqual([200, 200, 200, 200]);
    expect(answers.filter(isReplay)).toEqual([]);
    // One result under one key is one run, whoever of the customer sends it: keys are rotated.
    expect(same.body.id).toBe(first.body.id);
    expect(new Set(answers.map(({ body: { id } }) => id)).size).toBe(3);
  });

  test('an answer is replayed to nobody who may no longer store', async () => {
    const by = await makeTenant(api.pool);
    const sent = { by, key: randomUUID(), body: freshValidation(by) };
    await storeWith(api, sent);
    await api.pool.query(
      sql.unsafe`UPDATE forge_accounts SET verified_at = NULL WHERE customer_id = ${by.customerId}`,
    );
    const refused = await storeWith(api, sent);
    expect(refused).toMatchObject({ status: 403, body: { code: 'FORGE_ACCOUNT_NOT_VERIFIED' } });
    expect(isReplay(refused)).toBe(false);
  });

  test('of many at once one is stored', async () => {
    const by = await makeTenant(api.pool);
    const sent = { by, key: randomUUID(), body: freshValidation(by) };
    const answers = await Promise.all(Array.from({ length: 30 }, () => storeWith(api, sent)));
    const statuses = answers.map(({ status }) => status);
    expect(statuses.filter((status) => status !== 200 && status !== 409)).toEqual([]);
    const done = answers.filter(({ status }) => status === 200);
    expect(new Set(done.map(({ body }) => body.id)).size).toBe(1);
    expect(done.filter((answer) => !isReplay(answer))).toHaveLength(1);
    expect(await phaseRunsOf(by)).toHaveLength(1);
    expect(await countRows(api.pool, 'validation_executions', by.customerId)).toBe(1);
  });

  test.each([
    { name: 'completed at once', first: {} },
    { name: 'begun', first: { status: 'running', pipelineRunId: '1' } },
    { name: 'too large for its PhaseRun', first: { data: { text: 'x'.repeat(40_000) } } },
  ])('a process that dies before it has noted its answer has stored once: $name', async ({ first }) => {
    const by = await makeTenant(api.pool);
    const sent = { by, key: randomUUID(), body: freshValidation(by, first) };
    const lost = await storeWith(api, sent);
    expect(lost.status).toBe(200);
    await forgetAnswers(api, by);
    await redis?.forget();
    const retried = await storeWith(api, sent);
    expect({ status: retried.status, id: retried.body.id }).toEqual({ status: 200, id: lost.body.id });
    expect(isReplay(retried)).toBe(false);
    expect(isReplay(await storeWith(api, sent))).toBe(true);
    expect(await phaseRunsOf(by)).toHaveLength(1);
    expect(await countRows(api.pool, 'validation_executions', by.customerId)).toBe(1);
  });

  test('a retry of what was stored before a later run began leaves that run alone', async () => {
    const by = await makeTenant(api.pool);
    const body = freshValidation(by, { pipelineRunId: '1', data: { n: 1 } });
    const key = randomUUID();
    const lost = await storeWith(api, { by, key, body });
    await forgetAnswers(api, by);
    await redis?.forget();
    const begun = await storeWith(api, { by, body: { ...body, status: 'running', data: {} } });
    const retried = await storeWith(api, { by, key, body });
    expect({ status: retried.status, id: retried.body.id }).toEqual({ status: 200, id: lost.body.id });
    const running = { by, body: { ...body, runId: begun.body.id, data: { n: 2 } } };
    expect(await storeWith(api, running)).toMatchObject({ status: 200, body: { id: begun.body.id } });
  });

  test('a run that was moved forward by a store which was never answered is moved once', async () => {
    const by = await makeTenant(api.pool);
    const body = freshValidation(by, { pipelineRunId: '1' });
    const begun = await storeWith(api, { by, body: { ...body, status: 'running', data: {} } });
    const sent = { by, key: randomUUID(), body };
    expect(await storeWith(api, sent)).toMatchObject({ status: 200, body: { id: begun.body.id } });
    await forgetAnswers(api, by);
    await redis?.forget();
    expect(await storeWith(api, sent)).toMatchObject({ status: 200, body: { id: begun.body.id } });
    expect(await countRows(api.pool, 'validation_executions', by.customerId)).toBe(1);
  });

  test('a refusal that stays the same is kept', async () => {
    const by = await makeTenant(api.pool);
    const stored = await storeWith(api, { by, body: freshValidation(by) });
    const sent = { by, key: randomUUID(), body: freshValidation(by, { runId: stored.body.id }) };
    const first = await storeWith(api, sent);
    const again = await storeWith(api, sent);
    expect(first).toMatchObject({ status: 422, body: { code: 'RUN_NOT_FOUND' } });
    expect([isReplay(first), isReplay(again)]).toEqual([false, true]);
    expect(again.body).toEqual(first.body);
  });

  test('while the first is under way the second is told to come again', async () => {
    const by = await makeTenant(api.pool);
    const sent = { by, key: randomUUID(), body: freshValidation(by) };
    await storeWith(api, sent);
    await api.pool.query(sql.unsafe`
      UPDATE idempotency_keys SET status = NULL, body = NULL, claimed_until = now() + interval '1 minute'
      WHERE customer_id = ${by.customerId}
    `);
    await redis?.forget();
    const busy = await storeWith(api, sent);
    expect(busy).toMatchObject({ status: 409, body: { code: 'IDEMPOTENCY_IN_FLIGHT' } });
    expect(Number(busy.headers.get('retry-after'))).toBeGreaterThan(0);
  });

  test('the older way in heeds keys too', async () => {
    const by = await makeTenant(api.pool);
    const body = {
      repository: `${by.owner}/shop`,
      issue_number: 7,
      phase: 'validate',
      data: { validated: true },
    };
    const sent = { by, key: randomUUID(), body, path: '/api/v1/phase_data' };
    const first = await storeWith(api, sent);
    const again = await storeWith(api, sent);
    expect([first.status, again.status]).toEqual([201, 201]);
    expect(again.body).toEqual(first.body);
    expect(isReplay(again)).toBe(true);
  });
});
