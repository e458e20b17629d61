import { randomUUID } from 'node:crypto';
import { sql } from 'slonik';
import { describe, expect, test, vi } from 'vitest';
import { z } from 'zod';
import { createApiKey, revokeApiKey } from '../../../src/store/api-keys.ts';
import type { Connection } from '../../../src/store/database.ts';
import { closedPort } from '../../fixtures/scripted-server.ts';
import { type Agent, agentOf, newKey, openSession } from '../api/agent.ts';
import { type ApiAnswer, makeTenant, send } from '../api/api-under-test.ts';
import {
  ALL_SCOPES,
  createContractWorlds,
  forgetRedis,
  freshRepository,
  isReplay,
  keysInRedis,
  startReplica,
  timeLeftInRedis,
} from './contract-worlds.ts';
import { methodOf, mutationsOf } from './mutating-operations.ts';

const SESSION = { agent_role: 'support' };

describe.each(await createContractWorlds())('$world', ({ api, redisUrl, options }) => {
  const makeAgent = async () => agentOf(api, await makeTenant(api.pool, { scopes: ALL_SCOPES }));
  /** How many sessions there are: what each request of these tests adds to. */
  const countSessions = async ({ tenant }: Agent) => (await agentOf(api, tenant).get('/sessions')).body.total;
  const statusesOf = (answers: readonly ApiAnswer[]) => answers.map(({ status }) => status);

  /** What is kept of the answers to a customer: lifetimes in Postgres, and names in Redis where there is one. */
  async function keptFor({ tenant: { customerId } }: Agent) {
    const rows = await api.pool.any(sql.type(z.object({ seconds: z.number() }))`
      SELECT extract(epoch FROM expires_at - created_at)::int AS seconds FROM idempotency_keys
      WHERE customer_id = ${customerId}
    `);
    const names = redisUrl === undefined ? undefined : await keysInRedis(redisUrl, `*${customerId}*`);
    return {
      lifetimes: rows.map(({ seconds }) => seconds),
      inRedis: names?.filter((name) => !name.startsWith('ratelimit:')),
    };
  }

  /** Sends what opens a session, and goes on while it cannot: the answer comes when `meanwhile` is over. */
  async function whileUnderWay(
    ask: () => Promise<ApiAnswer>,
    meanwhile: (transaction: Connection, backend: number) => Promise<void>,
  ) {
    const { answering } = await api.pool.transaction(async (transaction) => {
      await transaction.query(sql.unsafe`LOCK TABLE sessions IN SHARE ROW EXCLUSIVE MODE`);
      const asked = ask();
      await meanwhile(transaction, await vi.waitFor(() => backendThatWaits(transaction), 20_000));
      return { answering: asked };
    });
    return answering;
  }

  test('Scope: a key counts for one caller, one method and one path', async () => {
    const agent = await makeAgent();
    const { customerId } = agent.tenant;
    const colleague = await createApiKey(api.pool, { customerId, name: 'other', scopes: ['sessions'] });
    const key = newKey();
    const [one, two] = [await openSession(agent), await openSession(agent)];
    const { id } = (await agent.post('/api/v1/webhooks', { url: 'https://hooks.example.com/x' })).body;
    const answers = [
      await agent.post('/sessions', SESSION, key),
      await agentOf(api, { ...agent.tenant, apiKey: colleague.apiKey }).post('/sessions', SESSION, key),
      await (await makeAgent()).post('/sessions', SESSION, key),
      await agent.put(`/sessions/${one}`, { metadata: { a: 1 } }, key),
      await agent.put(`/sessions/${two}`, { metadata: { a: 1 } }, key),
      await agent.send('POST', `/api/v1/webhooks/${id}/enable`, undefined, key),
      await agent.send('DELETE', `/api/v1/webhooks/${id}`, undefined, key),
    ];
    expect(answers.filter(isReplay)).toEqual([]);
    expect(statusesOf(answers)).toEqual([201, 201, 201, 200, 200, 200, 204]);
    expect(await countSessions(agent)).toBe(4);
  });

  test('Another body: the same key is 422, and nothing happens', async () => {
    const agent = await makeAgent();
    const key = newKey();
    await agent.post('/sessions', SESSION, key);
    for (const other of [{ agent_role: 'finance' }, { ...SESSION, metadata: {} }])
      expect(await agent.post('/sessions', other, key)).toMatchObject({
        status: 422,
        body: { code: 'IDEMPOTENCY_KEY_REUSED' },
      });
    expect(await countSessions(agent)).toBe(1);
  });

  test('Still running: 409 with Retry-After', async () => {
    const agent = await makeAgent();
    const key = newKey();
    const ask = () => agent.post('/sessions', SESSION, key);
    const first = await whileUnderWay(ask, async () => {
      const busy = await ask();
      expect(busy).toMatchObject({ status: 409, body: { code: 'IDEMPOTENCY_IN_FLIGHT' } });
      expect(Number(busy.headers.get('retry-after'))).toBeGreaterThan(0);
    });
    expect(first.status).toBe(201);
    expect(await ask()).toMatchObject({ status: 201, body: first.body });
    expect(await countSessions(agent)).toBe(1);
  });

  test('Done: the stored status, headers and body, with Idempotency-Replayed: true', async () => {
    const agent = await makeAgent();
    const key = newKey();
    const sent = { task_id: 'any text', decision: 'approved' };
    const first = await agent.post('/approvals', sent, key);
    expect([first.status, first.headers.get('idempotency-replayed')]).toEqual([202, null]);
    for (const again of [
      await agent.post('/approvals', sent, key),
      await agent.post('/approvals', sent, key),
    ]) {
      expect(again.headers.get('idempotency-replayed')).toBe('true');
      expect({ status: again.status, body: again.body }).toEqual({ status: 202, body: first.body });
      for (const name of ['content-type', 'location'])
        expect(again.headers.get(name)).toBe(first.headers.get(name));
    }
    expect((await agent.get('/approvals')).body.approvals).toHaveLength(1);
  });

  test('2xx and deterministic 4xx: are kept', async () => {
    const agent = await makeAgent();
    const id = await openSession(agent);
    const { body: approval } = await agent.post('/approvals', { task_id: 'x', decision: 'approved' });
    for (const { want, path, body, method = 'PUT' } of [
      { want: 200, path: `/sessions/${id}`, body: { metadata: { a: 1 } } },
      { want: 201, path: '/sessions', body: SESSION, method: 'POST' },
      { want: 202, path: '/approvals', body: { task_id: 'y' }, method: 'POST' },
      { want: 400, path: '/sessions', body: { agent_role: 7 }, method: 'POST' },
      { want: 404, path: `/sessions/${randomUUID()}`, body: { metadata: {} } },
      { want: 409, path: `/approvals/${approval.approval_id}`, body: { decision: 'rejected' } },
      { want: 422, path: `/sessions/${id}/events`, body: { event: 'complete' } },
    ]) {
      const key = newKey();
      const first = await agent.send(method, path, body, key);
      // What would be answered otherwise by now.
      if (want === 422) await agent.put(`/sessions/${id}`, { status: 'active' });
      const again = await agent.send(method, path, body, key);
      expect(statusesOf([first, again])).toEqual([want, want]);
      expect([isReplay(first), isReplay(again), again.body]).toEqual([false, true, first.body]);
    }
  });

  test('401, 403, 429, 5xx: are never kept', async () => {
    const agent = await makeAgent();
    const { customerId } = agent.tenant;
    const key = newKey();
    const ask = (at = api) => agentOf(at, agent.tenant).post('/sessions', SESSION, key);
    const allow = (scopes: string) =>
      api.pool.query(sql.unsafe`UPDATE api_keys SET scopes = ${scopes} WHERE customer_id = ${customerId}`);
    const limited = await startReplica({ ...options, limits: { requestsPerHour: 1 } });
    await agentOf(limited, agent.tenant).get('/sessions');

    const answers = [await send(api, '/sessions', { method: 'POST', headers: key })];
    await allow('{phases:read}');
    answers.push(await ask());
    await allow('{sessions}');
    answers.push(await ask(limited));
    answers.push(await whileUnderWay(ask, end));
    expect(statusesOf(answers)).toEqual([401, 403, 429, 503]);
    expect(await keptFor(agent)).toMatchObject({ lifetimes: [] });
    expect(await countSessions(agent)).toBe(0);

    // The connection that ended may turn the next requests away for a moment.
    const first = await vi.waitFor(async () => {
      const answer = await ask();
      expect(answer.status).toBe(201);
      return answer;
    }, 20_000);
    expect(isReplay(first)).toBe(false);
    expect(isReplay(await ask())).toBe(true);
    expect(await countSessions(agent)).toBe(1);
  });

  test('After authentication: an answer that is kept is for whoever may still ask', async () => {
    const agent = await makeAgent();
    const key = newKey();
    await agent.post('/sessions', SESSION, key);
    const { customerId, apiKey } = agent.tenant;
    const forged = agentOf(api, { ...agent.tenant, apiKey: `${apiKey}x` });
    const answers = [
      await send(api, '/sessions', { method: 'POST', headers: key }),
      await forged.post('/sessions', SESSION, key),
    ];
    await revokeApiKey(api.pool, customerId, apiKey.split('_')[1] ?? '');
    answers.push(await agent.post('/sessions', SESSION, key));
    expect(statusesOf(answers)).toEqual([401, 401, 401]);
    expect(answers.filter(isReplay)).toEqual([]);
  });

  test('`IDEMPOTENCY_TTL_SECONDS`: 86400, after which an answer is forgotten', async () => {
    const agent = await makeAgent();
    await agent.post('/sessions', SESSION, newKey());
    expect((await keptFor(agent)).lifetimes).toEqual([86_400]);

    const forgetful = await startReplica({ ...options, idempotency: { ttlSeconds: 1 } });
    const other = agentOf(forgetful, (await makeAgent()).tenant);
    const key = newKey();
    const { body: first } = await other.post('/sessions', SESSION, key);
    expect((await keptFor(other)).lifetimes).toEqual([1]);
    await vi.waitFor(async () => {
      const { status, body } = await other.post('/sessions', SESSION, key);
      expect({ status, isFirst: body.session_id === first.session_id }).toEqual({
        status: 201,
        isFirst: false,
      });
    }, 20_000);
  });

  test('`IDEMPOTENCY_ENABLED`: false heeds no key, and keeps nothing', async () => {
    const heedless = await startReplica({ ...options, idempotency: { enabled: false } });
    const agent = agentOf(heedless, (await makeAgent()).tenant);
    const key = newKey();
    const answers = [
      await agent.post('/sessions', SESSION, key),
      await agent.post('/sessions', SESSION, key),
    ];
    expect(statusesOf(answers)).toEqual([201, 201]);
    expect([await countSessions(agent), await keptFor(agent)]).toMatchObject([2, { lifetimes: [] }]);
  });

  test('Optional but on `/tasks/route`: without the header nothing is cached', async () => {
    const agent = await makeAgent();
    const answers = [await agent.post('/sessions', SESSION), await agent.post('/sessions', SESSION)];
    expect(answers.filter(isReplay)).toEqual([]);
    expect(await countSessions(agent)).toBe(2);
    const task = { target: 'finance', task: { task_type: 'audit' } };
    expect(await agent.post('/tasks/route', task)).toMatchObject({
      status: 400,
      body: { errors: [{ path: 'Idempotency-Key' }] },
    });
    expect(await keptFor(agent)).toEqual({
      lifetimes: [],
      inRedis: redisUrl === undefined ? undefined : [],
    });
  });

  test('Redis keys: start with `idempotency:` and carry the TTL', async () => {
    const agent = await makeAgent();
    await agent.post('/sessions', SESSION, newKey());
    const { inRedis = [] } = await keptFor(agent);
    const want = new RegExp(`^idempotency:${agent.tenant.customerId}:[0-9a-f]{64}$`);
    expect(inRedis).toHaveLength(redisUrl === undefined ? 0 : 1);
    for (const name of inRedis) {
      expect(name).toMatch(want);
      const timeLeft = await timeLeftInRedis(redisUrl ?? '', name);
      expect(timeLeft).toBeGreaterThan(86_000_000);
      expect(timeLeft).toBeLessThanOrEqual(86_400_000);
    }
  });

  test('All mutating routes: have one effect under a key, and Redis the answer where there is one', async () => {
    const agent = await makeAgent();
    const mutations = await mutationsOf(agent);
    const { body: document } = await send(api, '/openapi.json');
    const documented = Object.entries(document.paths as Record<string, object>).flatMap(([path, methods]) =>
      Object.keys(methods).map((method) => `${method.toUpperCase()} ${path}`),
    );
    expect(mutations.map(({ operation }) => operation).toSorted()).toEqual(
      documented.filter((operation) => !operation.startsWith('GET ')).toSorted(),
    );
    for (const mutation of mutations) {
      const key = newKey();
      const ask = () => agent.send(methodOf(mutation), mutation.path, mutation.body, key);
      const { inRedis: before } = await keptFor(agent);
      const [first, again] = [await ask(), await ask()];
      expect([mutation.operation, isReplay(first), isReplay(again)]).toEqual([
        mutation.operation,
        false,
        true,
      ]);
      expect(again).toMatchObject({ status: first.status, body: withoutSecret(first.body) });
      const { inRedis: after } = await keptFor(agent);
      expect(after?.length).toBe(before && before.length + 1);
    }
  });

  test('Postgres is the truth: it answers what Redis has lost, and a store has one run under its key', async () => {
    const agent = await makeAgent();
    const key = newKey();
    const repo = freshRepository(agent.tenant);
    const result = { phase: 'validation', repo, issueNumber: 7, commitSha: 'c1', data: { validated: true } };
    const ask = () => agent.post('/api/v1/phases/store', result, key);
    const first = await ask();
    await forgetRedis(redisUrl);
    const again = await ask();
    expect([isReplay(again), again.body]).toEqual([true, first.body]);

    const { customerId } = agent.tenant;
    await api.pool.query(sql.unsafe`DELETE FROM idempotency_keys WHERE customer_id = ${customerId}`);
    await forgetRedis(redisUrl);
    const anew = await ask();
    expect([isReplay(anew), anew.status, anew.body.id]).toEqual([false, 200, first.body.id]);
  });

  test('Never silently off: also while Redis cannot be reached', async () => {
    const alone = await startReplica({ ...options, redisUrl: `redis://127.0.0.1:${await closedPort()}` });
    const agent = agentOf(alone, (await makeAgent()).tenant);
    const key = newKey();
    const first = await agent.post('/sessions', SESSION, key);
    const again = await agent.post('/sessions', SESSION, key);
    expect([isReplay(again), again.body]).toEqual([true, first.body]);
    // Another replica knows of it too.
    expect(isReplay(await agentOf(api, agent.tenant).post('/sessions', SESSION, key))).toBe(true);
    expect(await countSessions(agent)).toBe(1);
  });
});

/** The backend that waits for what is locked. */
async function backendThatWaits(connection: Connection): Promise<number> {
  const { pid } = await connection.one(sql.type(z.object({ pid: z.number() }))`
    SELECT pid FROM pg_locks JOIN pg_database ON pg_database.oid = database
    WHERE NOT granted AND datname = current_database() AND relation = 'sessions'::regclass
  `);
  return pid;
}

async function end(connection: Connection, backend: number): Promise<void> {
  await connection.query(sql.unsafe`SELECT pg_terminate_backend(${backend})`);
}

function withoutSecret(body: object | null): object | null {
  if (body === null) return null;
  const { secret: _secret, notice: _notice, ...rest } = body as Record<string, unknown>;
  return rest;
}
