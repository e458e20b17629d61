import { randomUUID } from 'node:crypto';
import * as fc from 'fast-check';
import { Redis } from 'ioredis';
import { sql } from 'slonik';
import { describe, expect, inject, onTestFinished, test, vi } from 'vitest';
import { createApiKey, revokeApiKey } from '../../../src/store/api-keys.ts';
import { freshDatabase } from '../../fixtures/database.ts';
import { freshNamespace } from '../../fixtures/kubernetes.ts';
import { ownRedis } from '../../fixtures/redis.ts';
import { ownPostgres } from '../store/own-postgres.ts';
import {
  type ApiAnswer,
  type ApiUnderTest,
  makeTenant,
  send,
  startApi,
  type Tenant,
} from './api-under-test.ts';
import { effectsUnderTest } from './idempotent-routes.ts';

const kubeconfigPath = inject('kubeconfigPath');
const namespace = await freshNamespace();
const redis = await ownRedis();

interface Sent {
  readonly by: Pick<Tenant, 'apiKey'>;
  readonly key?: string;
  readonly body: object;
  readonly method?: string;
  readonly path?: string;
}

function post(api: ApiUnderTest, { by, key, body, method = 'POST', path = '/test/notes' }: Sent) {
  return send(api, path, {
    method,
    headers: {
      'x-api-key': by.apiKey,
      'content-type': 'application/json',
      ...(key !== undefined && { 'idempotency-key': key }),
    },
    body: JSON.stringify(body),
  });
}

function makeCaller(api: ApiUnderTest): Promise<Tenant> {
  return makeTenant(api.pool, { scopes: ['sessions'] });
}

/** Waits until the API says this of its Redis. */
async function reach(api: ApiUnderTest, state: 'connected' | 'disconnected'): Promise<void> {
  await vi.waitFor(async () => {
    const { redis: found } = (await send(api, '/health')).body;
    if (found !== state) throw new Error(`Redis is ${found}`);
  }, 10_000);
}

function isReplay({ headers }: ApiAnswer): boolean {
  return headers.get('idempotency-replayed') === 'true';
}

describe.each([
  { name: 'without Redis', redisUrl: undefined },
  // A machine without one skips what needs it; CI has one.
  ...(redis === undefined ? [] : [{ name: 'with Redis', redisUrl: redis.url }]),
])('$name', async ({ redisUrl }) => {
  const { url: databaseUrl } = await freshDatabase();
  const effects = effectsUnderTest();
  const api = await startApi({
    kubeconfigPath,
    databaseUrl,
    namespace,
    routes: effects.routes,
    ...(redisUrl !== undefined && { redisUrl }),
  });
  await effects.prepare(api.pool);
  if (redisUrl !== undefined) {
    await reach(api, 'connected');
  }

  test('without a key every request has its effect', async () => {
    const by = await makeCaller(api);
    const answers = [
      await post(api, { by, body: { note: 'a' } }),
      await post(api, { by, body: { note: 'a' } }),
    ];
    expect(answers.map(({ status }) => status)).toEqual([201, 201]);
    expect(answers.map(isReplay)).toEqual([false, false]);
    expect(await effects.notes(api.pool, by.customerId)).toEqual(['a', 'a']);
  });

  test('the same again is answered the same, and has no effect', async () => {
    const by = await makeCaller(api);
    const key = randomUUID();
    const first = await post(api, { by, key, body: { note: 'a' } });
    expect(first).toMatchObject({ status: 201, body: { note: 'a' } });
    expect(isReplay(first)).toBe(false);
    for (const spelling of [key, `"${key}"`]) {
      const again = await post(api, { by, key: spelling, body: { note: 'a' } });
      expect(isReplay(again)).toBe(true);
      expect({ status: again.status, body: again.body }).toEqual({ status: 201, body: first.body });
      expect(again.headers.get('location')).toBe('/notes/a');
      expect(again.headers.get('content-type')).toBe(first.headers.get('content-type'));
    }
    expect(await effects.notes(api.pool, by.customerId)).toEqual(['a']);
  });

  test('the same key with another request is refused', async () => {
    const by = await makeCaller(api);
    const key = randomUUID();
    await post(api, { by, key, body: { note: 'a' } });
    for (const other of [
      { body: { note: 'b' } },
      { body: { note: 'a', unknownToTheRoute: 1 } },
      { body: { note: 'a' }, path: '/test/notes?dry=1' },
    ]) {
      const refused = await post(api, { by, key, ...other });
      expect(refused).toMatchObject({ status: 422, body: { code: 'IDEMPOTENCY_KEY_REUSED' } });
      expect(isReplay(refused)).toBe(false);
    }
    expect(await effects.notes(api.pool, by.customerId)).toEqual(['a']);
  });

  test('members in another order, and a path spelled otherwise, are the same request', async () => {
    const by = await makeCaller(api);
    const key = randomUUID();
    await post(api, { by, key, path: '/test/notes/a%2Fb', body: { note: 'a', wait: false } });
    const again = await post(api, { by, key, path: '/test/notes/a%2fb/', body: { wait: false, note: 'a' } });
    expect(isReplay(again)).toBe(true);
    expect(await effects.notes(api.pool, by.customerId)).toEqual(['a']);
  });

  test('a key counts for one caller, one method and one path', async () => {
    const by = await makeCaller(api);
    const stranger = await makeCaller(api);
    const colleague = await createApiKey(api.pool, {
      customerId: by.customerId,
      name: 'another',
      scopes: ['sessions'],
    });
    const key = randomUUID();
    const body = { note: 'a' };
    const answers = [
      await post(api, { by, key, body }),
      await post(api, { by, key, body, method: 'PUT' }),
      await post(api, { by, key, body, path: '/test/other' }),
      await post(api, { by, key, body, path: '/test/notes/1' }),
      await post(api, { by, key, body, path: '/test/notes/2' }),
      await post(api, { by: colleague, key, body }),
      await post(api, { by: stranger, key, body }),
    ];
    expect(answers.map(({ status }) => status)).toEqual(answers.map(() => 201));
    expect(answers.filter(isReplay)).toEqual([]);
    expect(new Set(answers.map(({ body: { id } }) => id)).size).toBe(answers.length);
    expect(await effects.notes(api.pool, stranger.customerId)).toEqual(['a']);
  });

  test.each(['NOT_FOUND', 'BAD_REQUEST', 'RUN_CONFLICT', 'RUN_REJECTED'] as const)(
    'a refusal that stays the same is kept, its effect is not: %s',
    async (failWith) => {
      const by = await makeCaller(api);
      const sent = { by, key: randomUUID(), body: { note: 'a', failWith } };
      const first = await post(api, sent);
      const again = await post(api, sent);
      expect(first.body).toMatchObject({ code: failWith, requestId: expect.any(String) });
      expect(isReplay(first)).toBe(false);
      expect(isReplay(again)).toBe(true);
      expect({ status: again.status, body: again.body }).toEqual({ status: first.status, body: first.body });
      for (const name of ['content-type', 'x-told', 'cache-control']) {
        expect(again.headers.get(name)).toBe(first.headers.get(name));
      }
      expect(await effects.notes(api.pool, by.customerId)).toEqual([]);
    },
  );

  test.each([
    'AUTH_REQUIRED',
    'NAMESPACE_FORBIDDEN',
    'RATE_LIMITED',
    'KUBERNETES_UNAVAILABLE',
    'INTERNAL_ERROR',
  ] as const)('what may pass is not kept: %s', async (failWith) => {
    const by = await makeCaller(api);
    const key = randomUUID();
    const first = await post(api, { by, key, body: { note: 'a', failWith } });
    expect(first.body.code).toBe(failWith);
    const other = await post(api, { by, key, body: { note: 'b' } });
    expect(other.status).toBe(201);
    expect(isReplay(other)).toBe(false);
    expect(await effects.notes(api.pool, by.customerId)).toEqual(['b']);
  });

  test('what the schema of a route refuses is kept too', async () => {
    const by = await makeCaller(api);
    const sent = { by, key: randomUUID(), body: { note: 7 } };
    const first = await post(api, sent);
    expect(first).toMatchObject({
      status: 400,
      body: { code: 'VALIDATION_FAILED', errors: [{ path: 'note' }] },
    });
    const again = await post(api, sent);
    expect([isReplay(first), isReplay(again)]).toEqual([false, true]);
    expect(again.body).toEqual(first.body);
  });

  test.each([
    { name: 'an empty key', key: '', path: '/test/notes' },
    { name: 'one with a space', key: 'a b', path: '/test/notes' },
    { name: 'one of 256 characters', key: 'x'.repeat(256), path: '/test/notes' },
    { name: 'one that is not ASCII', key: '\u00e9', path: '/test/notes' },
    { name: 'an empty quoted key', key: '""', path: '/test/notes' },
    { name: 'none where one is required', key: undefined, path: '/test/required' },
    { name: 'no UUID where one is required', key: 'first', path: '/test/required' },
  ])('$name is a 400 that names the header', async ({ key, path }) => {
    const by = await makeCaller(api);
    const refused = await post(api, { by, path, body: { note: 'a' }, ...(key !== undefined && { key }) });
    expect(refused).toMatchObject({
      status: 400,
      body: { code: 'VALIDATION_FAILED', errors: [{ path: 'Idempotency-Key' }] },
    });
    expect(await effects.notes(api.pool, by.customerId)).toEqual([]);
  });

  test('a key of 255 characters is one', async () => {
    const by = await makeCaller(api);
    const sent = { by, key: '~'.repeat(255), body: { note: 'a' } };
    expect((await post(api, sent)).status).toBe(201);
    expect(isReplay(await post(api, sent))).toBe(true);
  });

  test('an answer that is kept is for whoever may still ask', async () => {
    const by = await makeCaller(api);
    const sent = { by, key: randomUUID(), body: { note: 'a' } };
    await post(api, sent);
    await revokeApiKey(api.pool, by.customerId, by.apiKey.split('_')[1] ?? '');
    const refused = await post(api, sent);
    expect(refused).toMatchObject({ status: 401, body: { code: 'INVALID_API_KEY' } });
    expect(isReplay(refused)).toBe(false);
    const guess = { apiKey: `${by.apiKey}x` };
    expect((await post(api, { ...sent, by: guess })).status).toBe(401);
  });

  test('of fifty at once with one key one has its effect; the others are told to wait, or its answer', async () => {
    const by = await makeCaller(api);
    const sent = { by, key: randomUUID(), body: { note: 'a' } };
    const answers = await Promise.all(Array.from({ length: 50 }, () => post(api, sent)));
    expect(await effects.notes(api.pool, by.customerId)).toEqual(['a']);
    const busy = answers.filter(({ status }) => status === 409);
    for (const { body, headers } of busy) {
      expect(body.code).toBe('IDEMPOTENCY_IN_FLIGHT');
      expect(Number(headers.get('retry-after'))).toBeGreaterThan(0);
    }
    const done = answers.filter(({ status }) => status === 201);
    expect(busy.length + done.length).toBe(50);
    expect(done.filter((answer) => !isReplay(answer))).toHaveLength(1);
    expect(new Set(done.map(({ body }) => body.id)).size).toBe(1);
  });

  test('whatever is sent at once, each key of each caller has one effect and one answer', async () => {
    const callers = await Promise.all([makeCaller(api), makeCaller(api)]);
    let round = 0;
    const request = fc.record({
      caller: fc.nat(callers.length - 1),
      key: fc.nat(2),
      note: fc.constantFrom('a', 'b'),
      path: fc.constantFrom('/test/notes', '/test/other'),
    });
    await fc.assert(
      fc.asyncProperty(fc.array(request, { minLength: 2, maxLength: 12 }), async (requests) => {
        round += 1;
        const answers = await Promise.all(
          requests.map(async ({ caller, key, note, path }) => {
            const answer = await post(api, {
              by: callers[caller] as Tenant,
              key: `${round}-${key}`,
              body: { note: `${round}${note}` },
              path,
            });
            return { ...answer, of: `${caller} ${key} ${path}` };
          }),
        );
        const statuses = new Set(answers.map(({ status }) => status));
        expect([201, 409, 422]).toEqual(expect.arrayContaining([...statuses]));
        const executed = answers.filter((answer) => answer.status === 201 && !isReplay(answer));
        const places = new Set(requests.map(({ caller, key, path }) => `${caller} ${key} ${path}`));
        expect(executed.map(({ of }) => of).toSorted()).toEqual([...places].toSorted());
        for (const { of, body } of executed) {
          const same = answers.filter((answer) => answer.of === of && answer.status === 201);
          expect(new Set(same.map((answer) => answer.body.id))).toEqual(new Set([body.id]));
        }
        const written = await Promise.all(
          callers.map(({ customerId }) => effects.notes(api.pool, customerId)),
        );
        expect(
          written
            .flat()
            .filter((note) => note.startsWith(String(round)) && note.length === String(round).length + 1),
        ).toHaveLength(places.size);
      }),
      { numRuns: 40 },
    );
  });

  test('a backend that dies between effect and record leaves neither, and a retry has its effect', async () => {
    const by = await makeCaller(api);
    const key = randomUUID();
    const lost = await post(api, { by, key, body: { note: 'a', die: true } });
    expect(lost).toMatchObject({ status: 503, body: { code: 'DATABASE_UNAVAILABLE' } });
    expect(Number(lost.headers.get('retry-after'))).toBeGreaterThan(0);
    expect(await effects.notes(api.pool, by.customerId)).toEqual([]);
    const retried = await post(api, { by, key, body: { note: 'a' } });
    expect(retried.status).toBe(201);
    expect(isReplay(retried)).toBe(false);
    expect(await effects.notes(api.pool, by.customerId)).toEqual(['a']);
  });

  test('an answer that has expired is forgotten', async () => {
    const by = await makeCaller(api);
    const key = randomUUID();
    await post(api, { by, key, body: { note: 'a' } });
    await api.pool.query(
      sql.unsafe`UPDATE idempotency_keys SET expires_at = now() WHERE customer_id = ${by.customerId}`,
    );
    await redis?.forget();
    const later = await post(api, { by, key, body: { note: 'b' } });
    expect(later.status).toBe(201);
    expect(isReplay(later)).toBe(false);
    expect(isReplay(await post(api, { by, key, body: { note: 'b' } }))).toBe(true);
  });
});

describe.skipIf(redis === undefined)('when Redis comes and goes', async () => {
  if (redis === undefined) return;
  const { url: databaseUrl } = await freshDatabase();
  const effects = effectsUnderTest();
  const api = await startApi({
    kubeconfigPath,
    databaseUrl,
    namespace,
    redisUrl: redis.url,
    routes: effects.routes,
  });
  await effects.prepare(api.pool);

  test('it holds answers under its own name, and none for ever', async () => {
    await reach(api, 'connected');
    const by = await makeCaller(api);
    await post(api, { by, key: randomUUID(), body: { note: 'a' } });
    const client = new Redis(redis.url);
    onTestFinished(() => client.disconnect());
    const keys = await client.keys(`idempotency:${by.customerId}:*`);
    expect(keys).toHaveLength(1);
    expect(await client.pttl(keys[0] ?? '')).toBeGreaterThan(86_000_000);
    expect((await client.keys('*')).filter((key) => !/^(idempotency|ratelimit):/.test(key))).toEqual([]);
  });

  test('a request in flight while it dies has one effect, and its retry the answer', async () => {
    await reach(api, 'connected');
    const by = await makeCaller(api);
    const sent = { by, key: randomUUID(), body: { note: 'a', wait: true } };
    const answering = post(api, sent);
    await effects.waiting;
    await redis.kill();
    expect(await post(api, sent)).toMatchObject({ status: 409, body: { code: 'IDEMPOTENCY_IN_FLIGHT' } });
    effects.open();
    const first = await answering;
    expect(first.status).toBe(201);

    const withoutRedis = await post(api, sent);
    await redis.restart();
    await reach(api, 'connected');
    const withAnEmptyOne = await post(api, sent);
    for (const again of [withoutRedis, withAnEmptyOne]) {
      expect(isReplay(again)).toBe(true);
      expect(again.body).toEqual(first.body);
    }
    expect(await effects.notes(api.pool, by.customerId)).toEqual(['a']);
  });
});

describe('without Postgres', async () => {
  const postgres = await ownPostgres();
  const effects = effectsUnderTest();
  const api = await startApi({
    kubeconfigPath,
    databaseUrl: postgres.url,
    namespace,
    routes: effects.routes,
    ...(redis !== undefined && { redisUrl: redis.url }),
  });
  await effects.prepare(api.pool);

  test('nothing is answered from memory; once it is back, a retry is answered as before', async () => {
    const by = await makeCaller(api);
    const sent = { by, key: randomUUID(), body: { note: 'a' } };
    const first = await post(api, sent);
    expect(first.status).toBe(201);
    await postgres.kill();
    const refused = await post(api, sent);
    expect(refused).toMatchObject({ status: 503, body: { code: 'DATABASE_UNAVAILABLE' } });
    await postgres.restart();
    const again = await vi.waitFor(async () => {
      const answer = await post(api, sent);
      expect(answer.status).toBe(201);
      return answer;
    }, 10_000);
    expect(again.body).toEqual(first.body);
    expect(await effects.notes(api.pool, by.customerId)).toEqual(['a']);
  });
});
