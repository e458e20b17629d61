import { randomUUID } from 'node:crypto';
import { sql } from 'slonik';
import { afterAll, describe, expect, inject, test } from 'vitest';
import { z } from 'zod';
import { WebhookDelivery } from '../../../src/controller/webhook-delivery.ts';
import { createWebhookSender } from '../../../src/controller/webhook-sender.ts';
import { WEBHOOK_EVENT_TYPES } from '../../../src/domain/webhook-event.ts';
import { SUBSCRIPTION_LIMIT } from '../../../src/store/webhook-subscriptions.ts';
import { freshDatabase } from '../../fixtures/database.ts';
import { freshNamespace } from '../../fixtures/kubernetes.ts';
import { runLogger } from '../../fixtures/run-log/of-test.ts';
import { type ApiUnderTest, makeTenant, send, startApi, type Tenant } from '../api/api-under-test.ts';
import { startReceiver, verified } from './receiver.ts';

const { url: databaseUrl } = await freshDatabase();
const kubeconfigPath = inject('kubeconfigPath');
const namespace = await freshNamespace();
const strict = await startApi({ kubeconfigPath, databaseUrl, namespace });
const api = await startApi({ kubeconfigPath, databaseUrl, namespace, allowPrivateAddresses: true });
const sender = createWebhookSender({ allowPrivateAddresses: true, userAgent: 'PhaseRun/test' });
afterAll(() => sender.close());
const ROOT = '/api/v1/webhooks';

test('a webhook is made, told of a session, replayed, and deleted', async () => {
  const tenant = await makeTenant(api.pool, { scopes: ['admin', 'sessions'] });
  const receiver = await startReceiver();
  const created = await ask(api, tenant, 'POST', ROOT, {
    url: receiver.url,
    eventTypes: ['session.completed'],
  });
  expect(created).toMatchObject({
    status: 201,
    body: {
      id: expect.any(String),
      url: receiver.url,
      eventTypes: ['session.completed'],
      secret: expect.stringMatching(/^whsec_[A-Za-z0-9+/]{43}=$/),
      failingSince: null,
      disabledAt: null,
      disabledReason: null,
    },
  });
  const { secret, ...webhook } = created.body;
  expect(await ask(api, tenant, 'GET', ROOT)).toMatchObject({ status: 200, body: { webhooks: [webhook] } });
  expect(JSON.stringify(await ask(api, tenant, 'GET', ROOT))).not.toContain(secret.slice(6));

  const { session_id: sessionId } = (await ask(api, tenant, 'POST', '/sessions', { agent_role: 'support' }))
    .body;
  for (const status of ['active', 'completed'])
    await ask(api, tenant, 'PUT', `/sessions/${sessionId}`, { status });
  await deliver();
  expect(receiver.received.map(({ id }) => id)).toEqual([`session_${sessionId}_completed`]);
  const [request] = receiver.received;
  expect(request && verified(secret, request)).toMatchObject({
    type: 'dev.rsolv.session.completed',
    data: { sessionId, agentRole: 'support' },
  });

  const deliveries = `${ROOT}/${webhook.id}/deliveries`;
  const log = await ask(api, tenant, 'GET', deliveries);
  expect(log.body).toMatchObject({
    deliveries: [{ state: 'delivered', attempts: 1, lastStatus: 200 }],
    nextCursor: null,
  });
  const replay = `${deliveries}/${log.body.deliveries[0].id}/replay`;
  expect(await ask(api, tenant, 'POST', replay)).toMatchObject({
    status: 202,
    body: { state: 'pending', attempts: 0 },
  });
  await deliver();
  expect(receiver.received).toHaveLength(2);

  expect((await ask(api, tenant, 'DELETE', `${ROOT}/${webhook.id}`)).status).toBe(204);
  expect((await ask(api, tenant, 'DELETE', `${ROOT}/${webhook.id}`)).status).toBe(404);
  expect((await ask(api, tenant, 'GET', ROOT)).body).toEqual({ webhooks: [] });
  expect((await auditOf(tenant)).filter((type) => type.startsWith('webhook'))).toEqual([
    'webhook.created',
    'webhook.replayed',
    'webhook.deleted',
  ]);
});

test('without a word on what it wants to know it is told of everything', async () => {
  const tenant = await makeTenant(api.pool, { scopes: ['admin'] });
  const created = await ask(strict, tenant, 'POST', ROOT, { url: 'https://hooks.example.com/x' });
  expect(created.body.eventTypes).toEqual(WEBHOOK_EVENT_TYPES);
});

test.each([
  { name: 'no URL', body: {}, want: 'url' },
  { name: 'no URL at all', body: { url: 'hello' }, want: 'url' },
  { name: 'plain http', body: { url: 'http://hooks.example.com' }, want: 'url' },
  { name: 'a private address', body: { url: 'https://169.254.169.254/' }, want: 'url' },
  { name: 'a number for an address', body: { url: 'https://2130706433/' }, want: 'url' },
  { name: 'NUL', body: { url: 'https://hooks.example.com/\0' }, want: 'url' },
  {
    name: 'an unknown type',
    body: { url: 'https://a.example', eventTypes: ['phase.started'] },
    want: 'eventTypes.0',
  },
  { name: 'no type', body: { url: 'https://a.example', eventTypes: [] }, want: 'eventTypes' },
  { name: 'types that are none', body: { url: 'https://a.example', eventTypes: 'all' }, want: 'eventTypes' },
])('$name is refused, and names the field', async ({ body, want }) => {
  const tenant = await makeTenant(api.pool, { scopes: ['admin'] });
  const answer = await ask(strict, tenant, 'POST', ROOT, body);
  expect(answer).toMatchObject({
    status: 400,
    body: { code: 'VALIDATION_FAILED', errors: [{ path: want }] },
  });
});

test(`there are at most ${SUBSCRIPTION_LIMIT} a customer`, async () => {
  const tenant = await makeTenant(api.pool, { scopes: ['admin'] });
  const body = { url: 'https://hooks.example.com/x' };
  for (let made = 0; made < SUBSCRIPTION_LIMIT; made += 1)
    expect((await ask(strict, tenant, 'POST', ROOT, body)).status).toBe(201);
  expect(await ask(strict, tenant, 'POST', ROOT, body)).toMatchObject({
    status: 422,
    body: { code: 'WEBHOOK_LIMIT_REACHED' },
  });
});

test('what is disabled can be enabled, and only then replayed', async () => {
  const tenant = await makeTenant(api.pool, { scopes: ['admin', 'sessions'] });
  const receiver = await startReceiver();
  receiver.answer((_request, response) => response.writeHead(410).end());
  const { id } = (await ask(api, tenant, 'POST', ROOT, { url: receiver.url })).body;
  const { session_id: sessionId } = (await ask(api, tenant, 'POST', '/sessions', { agent_role: 'support' }))
    .body;
  for (const status of ['active', 'failed'])
    await ask(api, tenant, 'PUT', `/sessions/${sessionId}`, { status });
  await deliver();
  expect((await ask(api, tenant, 'GET', ROOT)).body.webhooks).toMatchObject([{ disabledReason: 'gone' }]);
  const log = await ask(api, tenant, 'GET', `${ROOT}/${id}/deliveries?state=failed`);
  const replay = `${ROOT}/${id}/deliveries/${log.body.deliveries[0].id}/replay`;
  expect(await ask(api, tenant, 'POST', replay)).toMatchObject({
    status: 409,
    body: { code: 'WEBHOOK_DISABLED' },
  });
  expect(await ask(api, tenant, 'POST', `${ROOT}/${id}/enable`)).toMatchObject({
    status: 200,
    body: { id, disabledAt: null, disabledReason: null, failingSince: null },
  });
  expect((await ask(api, tenant, 'POST', replay)).status).toBe(202);
  expect(await auditOf(tenant)).toContain('webhook.disabled');
});

describe('the log', () => {
  test('is read page by page', async () => {
    const tenant = await makeTenant(api.pool, { scopes: ['admin'] });
    const { id } = (await ask(strict, tenant, 'POST', ROOT, { url: 'https://hooks.example.com' })).body;
    await api.pool.query(sql.unsafe`
      INSERT INTO webhook_deliveries (customer_id, subscription_id, event_id, event_type, event)
      SELECT ${tenant.customerId}, ${id}, 'event_' || n, 'webhook.test', '{}' FROM generate_series(1, 5) AS n
    `);
    const page = (cursor: string) => ask(strict, tenant, 'GET', `${ROOT}/${id}/deliveries?limit=2${cursor}`);
    const ids: string[] = [];
    let cursor: string | null = '';
    while (cursor !== null) {
      const { body } = await page(cursor && `&cursor=${cursor}`);
      ids.push(...body.deliveries.map(({ eventId }: { eventId: string }) => eventId));
      cursor = body.nextCursor;
    }
    expect(ids).toEqual(['event_5', 'event_4', 'event_3', 'event_2', 'event_1']);
  });

  test.each(['cursor=x', 'cursor=-1', 'limit=x', 'state=done'])('refuses %s', async (query) => {
    const tenant = await makeTenant(api.pool, { scopes: ['admin'] });
    const { id } = (await ask(strict, tenant, 'POST', ROOT, { url: 'https://hooks.example.com' })).body;
    expect((await ask(strict, tenant, 'GET', `${ROOT}/${id}/deliveries?${query}`)).status).toBe(400);
  });
});

describe('of another customer', () => {
  test.each([
    { method: 'DELETE', path: '' },
    { method: 'POST', path: '/enable' },
    { method: 'GET', path: '/deliveries' },
    { method: 'POST', path: '/deliveries/1/replay' },
  ])('$method $path answers as for what does not exist', async ({ method, path }) => {
    const [owner, other] = [
      await makeTenant(api.pool, { scopes: ['admin'] }),
      await makeTenant(api.pool, { scopes: ['admin'] }),
    ];
    const { id } = (await ask(strict, owner, 'POST', ROOT, { url: 'https://hooks.example.com' })).body;
    const [foreign, absent] = [
      await ask(strict, other, method, `${ROOT}/${id}${path}`),
      await ask(strict, other, method, `${ROOT}/${randomUUID()}${path}`),
    ];
    expect(foreign.status).toBe(404);
    expect({ ...foreign.body, requestId: '' }).toEqual({ ...absent.body, requestId: '' });
    expect((await ask(strict, owner, 'GET', ROOT)).body.webhooks).toHaveLength(1);
  });

  test('a key without the scope admin opens nothing', async () => {
    const tenant = await makeTenant(api.pool, { scopes: ['phases:read', 'phases:write', 'sessions'] });
    for (const method of ['GET', 'POST'])
      expect(
        await ask(strict, tenant, method, ROOT, method === 'GET' ? undefined : { url: 'https://a.example' }),
      ).toMatchObject({
        status: 403,
        body: { code: 'INSUFFICIENT_SCOPE' },
      });
  });
});

function ask(
  on: ApiUnderTest,
  { apiKey }: Tenant,
  method: string,
  path: string,
  body?: object,
  headers: Record<string, string> = {},
) {
  const withBody = body === undefined ? {} : { 'content-type': 'application/json' };
  return send(on, path, {
    method,
    headers: { 'x-api-key': apiKey, ...withBody, ...headers },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
}

/** What the leader does. */
async function deliver(): Promise<void> {
  const delivery = new WebhookDelivery({
    pool: api.pool,
    sender,
    metrics: api.metrics,
    logger: runLogger('webhooks'),
    concurrency: 4,
  });
  await delivery.run(new AbortController().signal);
}

async function auditOf({ customerId }: Tenant): Promise<readonly string[]> {
  const rows = await api.pool.any(sql.type(z.object({ type: z.string() }))`
    SELECT event_type AS type FROM audit_events WHERE customer_id = ${customerId} ORDER BY id
  `);
  return rows.map(({ type }) => type);
}
