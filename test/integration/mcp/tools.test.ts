import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest';
import { createApiKey } from '../../../src/store/api-keys.ts';
import { freshDatabase } from '../../fixtures/database.ts';
import { freshNamespace } from '../../fixtures/kubernetes.ts';
import { makeTenant, startApi } from '../api/api-under-test.ts';
import { callTool, connectHttp, connectStdio, type McpSession } from './mcp-client.ts';

const { url: databaseUrl } = await freshDatabase();
const api = await startApi({
  kubeconfigPath: inject('kubeconfigPath'),
  databaseUrl,
  namespace: await freshNamespace(),
});
const tenant = await makeTenant(api.pool, { scopes: ['phases:read', 'phases:write', 'sessions'] });
const settings = { controllerUrl: api.url, token: tenant.apiKey };

const ways = [
  { way: 'stdio', connect: () => connectStdio(settings) },
  { way: 'stdio, newest revision', connect: () => connectStdio(settings, 'auto') },
  { way: 'HTTP', connect: () => connectHttp(settings) },
  { way: 'HTTP, newest revision', connect: () => connectHttp(settings, 'auto') },
];

describe.each(ways)('over $way', ({ connect }) => {
  let session: McpSession;
  beforeAll(async () => {
    session = await connect();
  });
  afterAll(() => session.close());

  test('six tools are offered, each with arguments that an object holds', async () => {
    const { tools } = await session.client.listTools();
    expect(tools.map(({ name }) => name).toSorted()).toEqual([
      'fetch_status',
      'notify',
      'phase_results',
      'request_approval',
      'send_task',
      'session_timeline',
    ]);
    for (const { inputSchema, description } of tools) {
      expect(inputSchema).toMatchObject({ type: 'object', properties: expect.any(Object) });
      expect(description).toMatch(/\.$/);
    }
  });

  test('the same idempotency_key is one task', async () => {
    const task = { target: 'engineering', task_type: 'review', idempotency_key: randomUUID() };
    const first = await callTool(session, 'send_task', task);
    expect((await callTool(session, 'send_task', task)).content).toEqual(first.content);
  });

  test.each([
    { name: 'an argument that is missing', tool: 'send_task', input: { task_type: 'x' }, want: /target/ },
    {
      name: 'a task that is not there',
      tool: 'fetch_status',
      input: { task_id: randomUUID() },
      want: /404.*\nCheck the id/,
    },
    {
      name: 'neither issue nor commit',
      tool: 'phase_results',
      input: { repo: 'acme/app' },
      want: /an issue, a commit/,
    },
    {
      name: "somebody else's repository",
      tool: 'phase_results',
      input: { repo: 'acme/app', issue: 7 },
      want: /403 NAMESPACE_FORBIDDEN.*\n.*forge account/,
    },
  ])('$name is an error that says what to do', async ({ tool, input, want }) => {
    const { isError, text } = await callTool(session, tool, input);
    expect(text).toMatch(want);
    expect(isError).toBe(true);
  });
});

test('credentials that are not valid are an error that says what to set', async () => {
  const { apiKey } = await createApiKey(api.pool, {
    customerId: tenant.customerId,
    name: 'expired',
    scopes: ['sessions'],
    expiresAt: '2020-01-01T00:00:00Z',
  });
  const session = await connectHttp({ ...settings, token: apiKey });
  const refused = await callTool(session, 'send_task', { target: 'finance', task_type: 'review' });
  expect(refused).toMatchObject({ isError: true, text: expect.stringMatching(/401.*\n.*MESH_JWT_TOKEN/) });
  await session.close();
});
