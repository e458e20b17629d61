import { sql } from 'slonik';
import { afterAll, describe, expect, inject, test } from 'vitest';
import { z } from 'zod';
import { createApiKey, revokeApiKey } from '../../../src/store/api-keys.ts';
import { appendAccesses } from '../../../src/store/audit-accesses.ts';
import type { Caller } from '../../../src/store/principal.ts';
import { freshDatabase } from '../../fixtures/database.ts';
import { freshNamespace } from '../../fixtures/kubernetes.ts';
import {
  type ApiUnderTest,
  makeTenant,
  retrieve,
  send,
  startApi,
  type Tenant,
} from '../api/api-under-test.ts';
import { openDatabase } from '../store/builders.ts';

const { url: databaseUrl } = await freshDatabase();
const database = await openDatabase(databaseUrl);
const { pool } = database;
afterAll(() => database.close());
const namespace = await freshNamespace();
const start = (auditReads = true) =>
  startApi({ kubeconfigPath: inject('kubeconfigPath'), databaseUrl, namespace, auditReads });

describe('what a request comes to is in the audit of its customer once the server has closed:', () => {
  test('a read, with who read what, how often', async () => {
    const { api, tenant } = await setUp();
    const query = { repo: `${tenant.owner}/app`, commit: 'c1' };
    for (let count = 0; count < 3; count += 1)
      expect(await retrieve(api, tenant, query)).toMatchObject({ status: 200 });
    await retrieve(api, tenant, { ...query, commit: 'c2' });
    await api.close();
    const path = `/api/v1/phases/retrieve?repo=${tenant.owner}%2Fapp&commit=`;
    expect(await eventsOf(tenant.customerId)).toEqual([
      {
        type: 'data.read',
        metadata: {
          actor: `key:${keyIdOf(tenant)}`,
          method: 'GET',
          route: '/api/v1/phases/retrieve',
          outcome: '200',
          target: `${path}c1`,
          address: '127.0.0.1',
          count: 3,
          lastAt: expect.any(String),
        },
      },
      { type: 'data.read', metadata: expect.objectContaining({ target: `${path}c2`, count: 1 }) },
    ]);
  });

  test('what it may not: another namespace, a scope that it lacks, and what is not there, or not its own', async () => {
    const { api, tenant } = await setUp({ scopes: ['phases:read', 'sessions'] });
    await retrieve(api, tenant, { repo: 'somebody/else', commit: 'c1' });
    await get(api, tenant, '/sessions/11111111-2222-4333-8444-555555555555');
    await send(api, '/api/v1/phases/store', {
      method: 'POST',
      headers: { 'x-api-key': tenant.apiKey, 'content-type': 'application/json' },
      body: JSON.stringify({ phase: 'scan', repo: `${tenant.owner}/app`, commitSha: 'c1', data: {} }),
    });
    await api.close();
    const events = await eventsOf(tenant.customerId);
    expect(events.map(({ type, metadata }) => [type, metadata['route'], metadata['outcome']])).toEqual([
      ['access.denied', '/api/v1/phases/retrieve', 'NAMESPACE_FORBIDDEN'],
      ['access.denied', '/sessions/:id', 'NOT_FOUND'],
      ['access.denied', '/api/v1/phases/store', 'INSUFFICIENT_SCOPE'],
    ]);
    expect(events[1]?.metadata['target']).toBe('/sessions/11111111-2222-4333-8444-555555555555');
  });

  test('a key that is good no more, with the reason that its holder is not told', async () => {
    const { api, tenant } = await setUp();
    const revoked = await createApiKey(pool, {
      customerId: tenant.customerId,
      name: 'old',
      scopes: ['phases:read'],
    });
    await revokeApiKey(pool, tenant.customerId, revoked.id);
    const wrong = `rsolv_${keyIdOf(tenant)}_${'a'.repeat(43)}`;
    const query = { repo: `${tenant.owner}/app`, commit: 'c1' };
    const answers = [await retrieve(api, revoked, query), await retrieve(api, { apiKey: wrong }, query)];
    await api.close();
    expect(answers.map(({ status }) => status)).toEqual([401, 401]);
    expect(JSON.stringify(answers)).not.toMatch(/revoked|wrong_secret/);
    expect(await eventsOf(tenant.customerId)).toEqual([
      {
        type: 'authentication.failed',
        metadata: expect.objectContaining({
          actor: `key:${revoked.id}`,
          outcome: 'INVALID_API_KEY',
          reason: 'revoked',
        }),
      },
      {
        type: 'authentication.failed',
        metadata: expect.objectContaining({ actor: `key:${keyIdOf(tenant)}`, reason: 'wrong_secret' }),
      },
    ]);
  });

  test('strangers in nobody’s, without the names they thought up', async () => {
    const api = await start();
    const before = (await eventsOf(null)).length;
    for (let count = 0; count < 30; count += 1)
      await retrieve(api, { apiKey: `rsolv_made${count}_up` }, { repo: 'a/b' });
    await retrieve(api, { apiKey: 'no key at all' }, { repo: 'a/b' });
    await send(api, '/api/v1/phases/retrieve?secret=in-the-query');
    await api.close();
    const events = (await eventsOf(null)).slice(before);
    const common = {
      method: 'GET',
      route: '/api/v1/phases/retrieve',
      address: '127.0.0.1',
      lastAt: expect.any(String),
    };
    expect(events).toEqual([
      {
        type: 'authentication.failed',
        metadata: { ...common, outcome: 'INVALID_API_KEY', reason: 'no_such_key', count: 30 },
      },
      {
        type: 'authentication.failed',
        metadata: { ...common, outcome: 'INVALID_API_KEY', reason: 'malformed', count: 1 },
      },
      { type: 'authentication.failed', metadata: { ...common, outcome: 'AUTH_REQUIRED', count: 1 } },
    ]);
  });
});

test('reads are left out where they are not wanted; the rest is not', async () => {
  const api = await start(false);
  const tenant = await makeTenant(pool);
  await retrieve(api, tenant, { repo: `${tenant.owner}/app`, commit: 'c1' });
  await retrieve(api, tenant, { repo: 'somebody/else', commit: 'c1' });
  await api.close();
  expect((await eventsOf(tenant.customerId)).map(({ type }) => type)).toEqual(['access.denied']);
});

test('what is public, and what is not there for anybody, is not noted', async () => {
  const api = await start();
  const before = (await eventsOf(null)).length;
  for (const path of ['/', '/status', '/health', '/metrics', '/openapi.json', '/nothing'])
    await send(api, path);
  await api.close();
  expect((await eventsOf(null)).length).toBe(before);
});

test('callers are found by key, by customer and by the owner of their repository', async () => {
  const tenant = await makeTenant(pool);
  const customer = (name: string): Caller => ({
    kind: 'customer',
    customer: name,
    scopes: [],
    subject: 'iss/sub',
  });
  const ofRepository = (namespaceName: string): Caller => ({
    kind: 'repository',
    repository: { forge: 'github', namespace: namespaceName, name: 'app' },
  });
  const callers = [
    { kind: 'key', keyId: keyIdOf(tenant), secretSha256: '' } as const,
    customer(tenant.customerId),
    customer(tenant.owner),
    ofRepository(tenant.owner),
  ];
  const strangers = [
    customer('nobody'),
    customer('11111111-2222-4333-8444-555555555555'),
    ofRepository('nobody'),
  ];
  const now = new Date().toISOString();
  const before = (await eventsOf(null)).length;
  await appendAccesses(
    pool,
    [...callers, ...strangers].map((caller) => ({
      event: 'access.denied',
      caller,
      method: 'GET',
      route: '/x',
      outcome: '403',
      address: '192.0.2.1',
      count: 1,
      firstAt: now,
      lastAt: now,
    })),
  );
  expect(
    (await eventsOf(tenant.customerId)).map(({ metadata }) => String(metadata['actor'])).toSorted(),
  ).toEqual([`key:${keyIdOf(tenant)}`, `repository:github/${tenant.owner}/app`, 'token:iss/sub']);
  expect((await eventsOf(null)).slice(before)).toMatchObject([{ metadata: { count: 3 } }]);
});

async function setUp(
  keyOptions: Parameters<typeof makeTenant>[1] = {},
): Promise<{ api: ApiUnderTest; tenant: Tenant }> {
  return { api: await start(), tenant: await makeTenant(pool, keyOptions) };
}

function get(api: ApiUnderTest, { apiKey }: Tenant, path: string) {
  return send(api, path, { headers: { 'x-api-key': apiKey } });
}

function keyIdOf({ apiKey }: Pick<Tenant, 'apiKey'>): string {
  return apiKey.split('_')[1] ?? '';
}

async function eventsOf(customerId: string | null) {
  const event = z.object({ type: z.string(), metadata: z.record(z.string(), z.unknown()) });
  return pool.any(sql.type(event)`
    SELECT event_type AS type, metadata FROM audit_events
    WHERE customer_id IS NOT DISTINCT FROM ${customerId}::uuid ORDER BY id
  `);
}
