import { randomUUID } from 'node:crypto';
import { request as httpRequest } from 'node:http';
import { sql } from 'slonik';
import { describe, expect, inject, test } from 'vitest';
import { z } from 'zod';
import { problemSchema } from '../../../src/api/problem.ts';
import { freshDatabase } from '../../fixtures/database.ts';
import { freshNamespace } from '../../fixtures/kubernetes.ts';
import { agentOf, makeAgent, newKey, openSession } from './agent.ts';
import { makeTenant, send, startApi } from './api-under-test.ts';

const { url: databaseUrl } = await freshDatabase();
const api = await startApi({
  kubeconfigPath: inject('kubeconfigPath'),
  databaseUrl,
  namespace: await freshNamespace(),
  auditReads: false,
});
const agent = await makeAgent(api);

const READS = [
  '/sessions',
  `/sessions/${randomUUID()}`,
  '/tasks',
  '/approvals',
  '/audit',
  '/profiles/finance',
];
const WRITES = [
  { method: 'POST', path: '/sessions', body: { agent_role: 'support' } },
  { method: 'PUT', path: `/sessions/${randomUUID()}`, body: {} },
  { method: 'PUT', path: `/sessions/${randomUUID()}/events`, body: { event: 'fail' } },
  { method: 'POST', path: '/tasks/route', body: { target: 'a', task: { task_type: 'b' } } },
  { method: 'POST', path: '/approvals', body: { task_id: 'a' } },
  { method: 'PUT', path: `/approvals/${randomUUID()}`, body: { decision: 'approved' } },
  { method: 'POST', path: '/audit/ingest', body: { source: 'a', category: 'b', action: 'c' } },
];
const ALL = [...READS.map((path) => ({ method: 'GET', path, body: undefined })), ...WRITES];

describe('credentials', async () => {
  const runner = await makeTenant(api.pool);
  test.each(ALL)('are asked for by $method $path', async ({ method, path, body }) => {
    const ask = (headers: Record<string, string>) =>
      send(api, path, {
        method,
        headers: { 'content-type': 'application/json', ...newKey(), ...headers },
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      });
    expect(await ask({})).toMatchObject({ status: 401, body: { code: 'AUTH_REQUIRED' } });
    const wrong = `${agent.tenant.apiKey.slice(0, -1)}#`.replace('#', 'x');
    expect(await ask({ 'x-api-key': wrong })).toMatchObject({
      status: 401,
      body: { code: 'INVALID_API_KEY' },
    });
    expect(await ask({ 'x-api-key': runner.apiKey })).toMatchObject({
      status: 403,
      body: { code: 'INSUFFICIENT_SCOPE', detail: expect.stringContaining('sessions') },
    });
  });
});

describe('without Postgres', async () => {
  const alone = await startApi({
    kubeconfigPath: inject('kubeconfigPath'),
    databaseUrl: undefined,
    namespace: api.namespace,
  });
  test.each(ALL)('$method $path is to be tried again', async ({ method, path, body }) => {
    const {
      status,
      headers,
      body: answer,
    } = await send(alone, path, {
      method,
      headers: { 'content-type': 'application/json', 'x-api-key': agent.tenant.apiKey, ...newKey() },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    expect({ status, code: answer.code }).toEqual({ status: 503, code: 'DATABASE_UNAVAILABLE' });
    expect(headers.get('retry-after')).toMatch(/^\d+$/);
  });
});

describe('X-Trace-Id', () => {
  test.each([
    { name: 'any text', sent: 'order 66: "now", ok?', want: 'order 66: "now", ok?' },
    { name: 'UTF-8', sent: 'façade à 🦊', want: 'façade à 🦊' },
    { name: 'what is too long, cut', sent: 'x'.repeat(300), want: 'x'.repeat(256) },
  ])('repeats $name, and the audit finds it', async ({ sent, want }) => {
    const bytes = Buffer.from(sent).toString('latin1');
    const { headers } = await agent.post('/sessions', { agent_role: 'support' }, { 'x-trace-id': bytes });
    expect(Buffer.from(headers.get('x-trace-id') ?? '', 'latin1').toString()).toBe(want);
    const { body } = await agent.get(`/audit?trace_id=${encodeURIComponent(want)}`);
    expect(body.events).toMatchObject([{ event_type: 'session.created', trace_id: want }]);
  });

  test.each([{ sent: undefined }, { sent: '' }, { sent: '   ' }])(
    'is made up for $sent',
    async ({ sent }) => {
      const { headers } = await agent.get('/sessions', sent === undefined ? {} : { 'x-trace-id': sent });
      expect(headers.get('x-trace-id')).toMatch(/^[0-9a-f]{32}$/);
    },
  );

  test('is the one of the trace context where there is one', async () => {
    const traceparent = '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01';
    const { headers } = await agent.get('/sessions', { traceparent });
    expect(headers.get('x-trace-id')).toBe('4bf92f3577b34da6a3ce929d0e0e4736');
  });

  test('stands in refusals too', async () => {
    const { status, headers } = await send(api, '/sessions', { headers: { 'x-trace-id': 'mine' } });
    expect({ status, trace: headers.get('x-trace-id') }).toEqual({ status: 401, trace: 'mine' });
  });

  test('adds no header of its own', async () => {
    const lines = await rawHeaders('a\u00A0b\u0085c');
    expect(lines.filter((line) => line.toLowerCase() === 'x-trace-id')).toHaveLength(1);
    expect(lines.join('\n')).not.toMatch(/[\r]/);
  });
});

/** What node sends as it is, and fetch would not. */
function rawHeaders(traceId: string): Promise<string[]> {
  const { hostname, port } = new URL(api.url);
  const { promise, resolve, reject } = Promise.withResolvers<string[]>();
  const headers = { 'x-trace-id': traceId, 'x-api-key': agent.tenant.apiKey };
  const asking = httpRequest({ hostname, port, path: '/sessions', headers }, (response) => {
    response.resume();
    response.on('end', () => resolve(response.rawHeaders));
  });
  asking.on('error', reject);
  asking.end();
  return promise;
}

describe('bodies', () => {
  test.each(WRITES)('of $method $path are at most 1 MiB', async ({ method, path, body }) => {
    const large = { ...body, metadata: { padding: 'x'.repeat(1024 * 1024) } };
    const { status, body: answer } = await agent.send(method, path, large, newKey());
    expect({ status, code: problemSchema.strict().parse(answer).code }).toEqual({
      status: 413,
      code: 'PAYLOAD_TOO_LARGE',
    });
  });

  test.each([
    { name: 'no JSON', body: '{', want: { status: 400, code: 'MALFORMED_JSON' } },
    { name: 'empty', body: '', want: { status: 400, code: 'MALFORMED_JSON' } },
    { name: 'a string', body: '"a"', want: { status: 400, code: 'VALIDATION_FAILED' } },
    { name: 'null', body: 'null', want: { status: 400, code: 'VALIDATION_FAILED' } },
    { name: 'with NUL', body: '{"agent_role":"a\\u0000"}', want: { status: 400, code: 'VALIDATION_FAILED' } },
    {
      name: 'with a lone surrogate',
      body: '{"agent_role":"a","metadata":{"b":"\\ud800"}}',
      want: { status: 400, code: 'VALIDATION_FAILED' },
    },
  ])('that are $name are refused', async ({ body, want }) => {
    const { status, body: answer } = await agent.post('/sessions', body);
    expect({ status, code: problemSchema.strict().parse(answer).code }).toEqual(want);
  });
});

describe('fields', () => {
  test.each([
    { name: 'no role', body: {}, path: 'agent_role', says: 'is required' },
    { name: 'an empty role', body: { agent_role: '' }, path: 'agent_role', says: 'must not be empty' },
    { name: 'a role of 51 characters', body: { agent_role: 'x'.repeat(51) }, path: 'agent_role', says: '50' },
    { name: 'a role that is a number', body: { agent_role: 7 }, path: 'agent_role', says: 'a string' },
    {
      name: 'a task that is no UUID',
      body: { agent_role: 'a', task_id: 'b' },
      path: 'task_id',
      says: 'UUID',
    },
    {
      name: 'metadata that is a list',
      body: { agent_role: 'a', metadata: [] },
      path: 'metadata',
      says: 'object',
    },
  ])('of a session: $name', async ({ body, path, says }) => {
    const { status, body: answer } = await agent.post('/sessions', body);
    expect({ status, errors: answer.errors }).toEqual({
      status: 400,
      errors: [{ path, message: expect.stringMatching(new RegExp(`^${path} .*${says}`)) }],
    });
  });

  test.each([
    { path: '/approvals', body: {}, field: 'task_id' },
    { path: '/approvals', body: { task_id: 'x'.repeat(256) }, field: 'task_id' },
    { path: '/approvals', body: { task_id: 'a', approver_role: 'x'.repeat(51) }, field: 'approver_role' },
    { path: '/audit/ingest', body: { category: 'a', action: 'b' }, field: 'source' },
    {
      path: '/audit/ingest',
      body: { source: 'a', category: 'b', action: 'c', timestamp: 'now' },
      field: 'timestamp',
    },
    {
      path: '/audit/ingest',
      body: { source: 'a', category: 'b', action: 'c', metadata: 7 },
      field: 'metadata',
    },
  ])('of $path: $field', async ({ path, body, field }) => {
    const { status, body: answer } = await agent.post(path, body);
    expect({ status, path: answer.errors[0].path }).toEqual({ status: 400, path: field });
  });

  test.each(['%00', '%ED%A0%80', 'x'.repeat(51)])('of a path: /profiles/%s is no role', async (role) => {
    expect((await agent.get(`/profiles/${role}`)).status).toBeOneOf([400, 404]);
  });

  test.each([
    'trace_id=%00',
    'event_type=%00',
    'since=yesterday',
    'since=2026-02-31T00:00:00Z',
    'cursor=abc',
  ])('of /audit: ?%s is refused by name', async (query) => {
    const { status, body } = await agent.get(`/audit?${query}`);
    expect({ status, path: body.errors[0].path }).toEqual({ status: 400, path: query.split('=')[0] });
  });

  test('a cursor of one list is none of another', async () => {
    await openSession(agent);
    await openSession(agent);
    const { body: sessions } = await agent.get('/sessions?page_size=1');
    const { body: events } = await agent.get('/audit?limit=1');
    expect((await agent.get(`/audit?cursor=${sessions.next_cursor}`)).status).toBe(400);
    expect((await agent.get(`/sessions?cursor=${events.next_cursor}`)).status).toBe(400);
    expect((await agent.get(`/audit?limit=1&cursor=${events.next_cursor}`)).body.events[0].id).toBeLessThan(
      events.events[0].id,
    );
  });
});

describe('the audit', () => {
  test('is written with the thing, or not at all', async () => {
    const other = await makeAgent(api);
    const { customerId } = other.tenant;
    await api.pool.query(sql.type(z.object({}))`
      ALTER TABLE audit_events ADD CONSTRAINT no_more CHECK (event_type <> 'session.created') NOT VALID
    `);
    try {
      expect((await other.post('/sessions', { agent_role: 'support' })).status).toBe(422);
    } finally {
      await api.pool.query(sql.type(z.object({}))`ALTER TABLE audit_events DROP CONSTRAINT no_more`);
    }
    const counted = z.object({ count: z.number() });
    const { count } = await api.pool.one(
      sql.type(counted)`SELECT count(*) FROM sessions WHERE customer_id = ${customerId}`,
    );
    expect(count).toBe(0);
  });

  test('tells of every write, by whom, and holds no secret', async () => {
    const other = await makeAgent(api);
    const secret = 'hunter2';
    const id = await openSession(other, { agent_role: 'support', metadata: { token: secret } });
    await other.put(`/sessions/${id}`, { metadata: { password: secret } });
    await other.put(`/sessions/${id}/events`, { event: 'activate' });
    const task = { task_type: 'audit', data: { token: secret } };
    await other.post('/tasks/route', { target: 'finance', task, context: secret }, newKey());
    const { body: asked } = await other.post('/approvals', { task_id: 'a', comments: secret });
    await other.put(`/approvals/${asked.approval_id}`, { decision: 'rejected', reason: secret });
    const { body } = await other.get('/audit');
    expect(body.events.map(({ event_type }: { event_type: string }) => event_type)).toEqual([
      'approval.rejected',
      'approval.requested',
      'task.routed',
      'session.active',
      'session.updated',
      'session.created',
    ]);
    const [, keyId] = other.tenant.apiKey.split('_');
    for (const { metadata } of body.events) expect(metadata.actor).toBe(`key:${keyId}`);
    expect(JSON.stringify(body)).not.toContain(secret);
  });

  test('takes no event of another system for one of ours', async () => {
    const other = await makeAgent(api);
    const forged = { source: 'elsewhere', category: 'session', action: 'created' };
    await other.post('/audit/ingest', { ...forged, timestamp: '2026-01-01T00:00:00Z' });
    await openSession(other);
    const { events } = (await other.get('/audit?event_type=session.created')).body;
    expect(events.map(({ metadata }: { metadata: { source?: string } }) => metadata.source)).toEqual([
      undefined,
      'elsewhere',
    ]);
  });

  test('cuts the type of an event that is too long, and keeps all of it beside', async () => {
    const action = '🦊'.repeat(120);
    const traceId = randomUUID();
    const { body } = await agent.post('/audit/ingest', { source: 'a', category: 'zoo', action, traceId });
    const { events } = (await agent.get(`/audit?trace_id=${traceId}`)).body;
    expect(events).toMatchObject([
      { id: body.id, event_type: `zoo.${'🦊'.repeat(96)}`, metadata: { action } },
    ]);
  });

  test('is of the customer alone', async () => {
    const other = agentOf(api, await makeTenant(api.pool, { scopes: ['sessions'] }));
    expect((await other.get('/audit')).body).toEqual({ events: [], next_cursor: null });
  });
});

test('of many who decide an approval at once, one does', async () => {
  const { body: asked } = await agent.post('/approvals', { task_id: 'a' });
  const path = `/approvals/${asked.approval_id}`;
  const decisions = Array.from({ length: 10 }, (_, index) => (index % 2 === 0 ? 'approved' : 'rejected'));
  const answers = await Promise.all(decisions.map((decision) => agent.put(path, { decision })));
  const refused = answers.filter(({ status }) => status === 409);
  expect(refused).toHaveLength(9);
  const winner = answers.find(({ status }) => status === 200);
  expect((await agent.get(path)).body).toEqual(winner?.body);
});
