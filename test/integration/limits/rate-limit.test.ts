import { randomUUID } from 'node:crypto';
import { Redis } from 'ioredis';
import { describe, expect, inject, onTestFinished, test, vi } from 'vitest';
import { createApiKey, revokeApiKey } from '../../../src/store/api-keys.ts';
import { freshDatabase } from '../../fixtures/database.ts';
import { freshNamespace } from '../../fixtures/kubernetes.ts';
import { ownRedis } from '../../fixtures/redis.ts';
import {
  type ApiAnswer,
  type ApiUnderTest,
  makeTenant,
  retrieve,
  send,
  startApi,
  type Tenant,
} from '../api/api-under-test.ts';

const kubeconfigPath = inject('kubeconfigPath');
const namespace = await freshNamespace();
const { url: databaseUrl } = await freshDatabase();
const redis = await ownRedis();

/** A replica for one test. */
async function startLimited(limits: object, redisUrl?: string): Promise<ApiUnderTest> {
  const cache = redisUrl === undefined ? {} : { redisUrl };
  const api = await startApi({ kubeconfigPath, databaseUrl, namespace, limits, ...cache });
  onTestFinished(() => api.close());
  return api;
}

function read(
  api: ApiUnderTest,
  tenant: Pick<Tenant, 'apiKey'> & { readonly owner?: string },
): Promise<ApiAnswer> {
  return retrieve(api, tenant, { repo: `${tenant.owner ?? 'nobody'}/shop`, issue: '1' });
}

function standing({ headers }: ApiAnswer) {
  const [limit, remaining, reset] = ['limit', 'remaining', 'reset'].map((name) =>
    headers.get(`x-ratelimit-${name}`),
  );
  return { limit, remaining, reset: Number(reset) };
}

/** The windows begin with the hour: a test that met its end would count two of them. */
async function avoidTheHour(): Promise<void> {
  await vi.waitUntil(() => Date.now() % 3_600_000 < 3_590_000, { timeout: 20_000 });
}

describe('the requests of a customer', () => {
  test('are counted over its callers and routes, and refused past the limit; others are not', async () => {
    await avoidTheHour();
    const api = await startLimited({ requestsPerHour: 3 });
    const tenant = await makeTenant(api.pool);
    const stranger = await makeTenant(api.pool);
    const { customerId, owner } = tenant;
    const second = await createApiKey(api.pool, { customerId, name: 'second', scopes: ['phases:read'] });
    const answers = [
      await read(api, tenant),
      await read(api, { apiKey: second.apiKey, owner }),
      await send(api, '/api/v1/phases/store', {
        method: 'POST',
        headers: { 'x-api-key': tenant.apiKey, 'content-type': 'application/json' },
        body: '{}',
      }),
      await read(api, tenant),
    ];
    expect(answers.map(({ status }) => status)).toEqual([200, 200, 400, 429]);
    expect(answers.map((answer) => standing(answer).remaining)).toEqual(['2', '1', '0', '0']);
    for (const answer of answers) {
      expect(standing(answer)).toMatchObject({ limit: '3' });
      expect(standing(answer).reset).toBeGreaterThan(0);
      expect(standing(answer).reset).toBeLessThanOrEqual(3_600);
    }
    const refused = answers[3];
    expect(refused?.body).toMatchObject({ status: 429, code: 'RATE_LIMITED', requestId: expect.any(String) });
    expect(refused?.headers.get('retry-after')).toBe(refused?.headers.get('x-ratelimit-reset'));
    expect((await read(api, stranger)).status).toBe(200);
    expect(await api.metrics.expose()).toContain('phaserun_rate_limited_requests_total{limit="customer"} 1');
  });

  test('past the limit are refused before their bodies are read', async () => {
    await avoidTheHour();
    const api = await startLimited({ requestsPerHour: 1 });
    const tenant = await makeTenant(api.pool);
    await read(api, tenant);
    const broken = await send(api, '/api/v1/phases/store', {
      method: 'POST',
      headers: { 'x-api-key': tenant.apiKey, 'content-type': 'application/json' },
      body: '{ this is no JSON',
    });
    expect(broken.status).toBe(429);
  });

  test('are not those of whoever shows a key that is not good', async () => {
    await avoidTheHour();
    const api = await startLimited({ requestsPerHour: 2 });
    const tenant = await makeTenant(api.pool);
    const { customerId } = tenant;
    const lost = await createApiKey(api.pool, { customerId, name: 'lost', scopes: ['phases:read'] });
    await revokeApiKey(api.pool, customerId, lost.id);
    for (const apiKey of [`${tenant.apiKey}x`, lost.apiKey, `${tenant.apiKey}y`]) {
      const refused = await read(api, { apiKey });
      expect(refused.status).toBe(401);
      expect(refused.headers.get('x-ratelimit-limit')).toBeNull();
    }
    expect(standing(await read(api, tenant)).remaining).toBe('1');
  });

  test('are not counted where there is no limit, nor on public routes', async () => {
    const unlimited = await startLimited({ requestsPerHour: 0 });
    const tenant = await makeTenant(unlimited.pool);
    expect((await read(unlimited, tenant)).headers.get('x-ratelimit-limit')).toBeNull();
    const api = await startLimited({ requestsPerHour: 1 });
    const answers = await Promise.all(Array.from({ length: 5 }, () => send(api, '/status')));
    expect(answers.map(({ status }) => status)).toEqual([200, 200, 200, 200, 200]);
  });

  test('cost one statement for a caller, once, and nothing else while there is no Redis', async () => {
    const api = await startLimited({ requestsPerHour: 1_000 });
    const tenant = await makeTenant(api.pool);
    for (let n = 0; n < 5; n += 1) await read(api, tenant);
    const text = await api.metrics.expose();
    expect(text).toContain('phaserun_postgres_query_duration_seconds_count{query="find_principal.by_key"} 1');
    expect(text).toContain('phaserun_redis_command_duration_seconds_count{command="count"} 0');
  });
});

describe.skipIf(redis === undefined)('with a Redis', () => {
  if (redis === undefined) return;

  async function connected(limits: object): Promise<ApiUnderTest> {
    const api = await startLimited(limits, redis?.url);
    await vi.waitUntil(async () => (await send(api, '/health')).body.redis === 'connected', {
      timeout: 10_000,
    });
    return api;
  }

  test('the requests of a customer are counted over all replicas, in one round trip each', async () => {
    await avoidTheHour();
    const replicas = [
      await connected({ requestsPerHour: 3 }),
      await connected({ requestsPerHour: 3 }),
    ] as const;
    const tenant = await makeTenant(replicas[0].pool);
    const answers: ApiAnswer[] = [];
    for (const api of [...replicas, ...replicas]) answers.push(await read(api, tenant));
    expect(answers.map(({ status }) => status)).toEqual([200, 200, 200, 429]);
    expect(answers.map((answer) => standing(answer).remaining)).toEqual(['2', '1', '0', '0']);
    for (const { metrics } of replicas) {
      expect(await metrics.expose()).toContain(
        'phaserun_redis_command_duration_seconds_count{command="count"} 2',
      );
    }
    const client = new Redis(redis.url);
    const keys = await client.keys(`ratelimit:${tenant.customerId}:*`);
    expect(keys).toHaveLength(1);
    expect(await client.pttl(keys[0] ?? '')).toBeGreaterThan(0);
    client.disconnect();
  });

  test('each replica counts for itself while Redis is away, and has not forgotten what it saw', async () => {
    await avoidTheHour();
    const api = await connected({ requestsPerHour: 3 });
    const tenant = await makeTenant(api.pool);
    await read(api, tenant);
    await read(api, tenant);
    await redis.kill();
    const answers = [await read(api, tenant), await read(api, tenant)];
    expect(answers.map(({ status }) => status)).toEqual([200, 429]);
    await redis.restart();
  });
});

describe('credentials that are not good', () => {
  const guess = () => ({ apiKey: `rsolv_${randomUUID().slice(0, 8)}_secret` });

  test('are answered 429 past the limit of an address, and good ones are let in all the same', async () => {
    const api = await startLimited({ authFailuresPerMinute: 5 });
    const tenant = await makeTenant(api.pool);
    await vi.waitUntil(() => Date.now() % 60_000 < 50_000, { timeout: 20_000 });
    const answers: ApiAnswer[] = [];
    for (let n = 0; n < 7; n += 1) answers.push(await read(api, guess()));
    expect(answers.map(({ status }) => status)).toEqual([401, 401, 401, 401, 401, 429, 429]);
    const refused = answers.at(-1);
    expect(refused?.body).toMatchObject({ status: 429, code: 'RATE_LIMITED' });
    expect(Number(refused?.headers.get('retry-after'))).toBeGreaterThan(0);
    expect(refused?.headers.get('x-ratelimit-limit')).toBe('5');
    expect(refused?.headers.get('www-authenticate')).toBeNull();
    // Never seen by this process before.
    expect((await read(api, tenant)).status).toBe(200);
    expect(await api.metrics.expose()).toContain('phaserun_rate_limited_requests_total{limit="address"} 2');
  });

  test('are counted where there are some: without any it is a 401 however often', async () => {
    const api = await startLimited({ authFailuresPerMinute: 1 });
    for (let n = 0; n < 5; n += 1) {
      const answer = await send(api, '/api/v1/phases/retrieve?repo=a/b');
      expect(answer).toMatchObject({ status: 401, body: { code: 'AUTH_REQUIRED' } });
    }
  });

  test.each(['rsolv_', 'not a key', 'eyJhbGciOiJub25lIn0.e30.'])(
    'count whatever is wrong with them: %s',
    async (bad) => {
      const api = await startLimited({ authFailuresPerMinute: 1 });
      await vi.waitUntil(() => Date.now() % 60_000 < 55_000, { timeout: 20_000 });
      const path = '/api/v1/phases/retrieve?repo=a/b';
      const headers = { authorization: `Bearer ${bad}` };
      const answers = [await send(api, path, { headers }), await send(api, path, { headers })];
      expect(answers.map(({ status }) => status)).toEqual([401, 429]);
    },
  );
});
