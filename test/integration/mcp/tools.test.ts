import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createApiKey } from '../../../src/store/api-keys.ts';
import { freshDatabase } from '../../fixtures/database.ts';
import { freshNamespace, ownKubernetes } from '../../fixtures/kubernetes.ts';
import { agentOf, openSession } from '../api/agent.ts';
import { makeTenant, startApi, startController, store } from '../api/api-under-test.ts';
import { callTool, connectHttp, connectStdio, type McpSession } from './mcp-client.ts';

const { url: databaseUrl } = await freshDatabase();
const { kubeconfigPath } = await ownKubernetes();
const api = await startApi({
  kubeconfigPath,
  databaseUrl,
  namespace: await freshNamespace({ kubeconfigPath }),
});
await startController({ kubeconfigPath, databaseUrl });
const tenant = await makeTenant(api.pool, { scopes: ['phases:read', 'phases:write', 'sessions'] });
const agent = agentOf(api, tenant);
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

  test('send_task hands over a task, which fetch_status finds', async () => {
    const sent = await callTool(session, 'send_task', {
      target: 'engineering',
      task_type: 'review',
      description: 'Look at it',
      data: { issue: 7 },
    });
    expect(sent).toMatchObject({ isError: false, content: { status: 'accepted' } });
    const found = await callTool(session, 'fetch_status', { task_id: sent.content.task_id });
    expect(found.content).toMatchObject({ task_type: 'review', data: { issue: 7 } });
    expect(found.text).toContain('"review"');
  });

  test('arguments below params are the same', async () => {
    const sent = await callTool(session, 'send_task', {
      params: { target: 'engineering', task_type: 'review', idempotency_key: randomUUID() },
    });
    expect(sent).toMatchObject({ isError: false, content: { status: 'accepted' } });
  });

  test('the same idempotency_key is one task', async () => {
    const task = { target: 'engineering', task_type: 'review', idempotency_key: randomUUID() };
    const first = await callTool(session, 'send_task', task);
    expect((await callTool(session, 'send_task', task)).content).toEqual(first.content);
  });

  test('request_approval asks for a decision that is pending', async () => {
    const taskId = `deploy-${randomUUID()}`;
    const asked = await callTool(session, 'request_approval', {
      task_id: taskId,
      approver_role: 'manager',
      reason: 'It is Friday',
    });
    expect(asked.content).toMatchObject({ status: 'pending' });
    const { body } = await agent.get('/approvals?status=pending');
    expect(JSON.stringify(body)).toContain(taskId);
  });

  test('notify puts a message into the audit', async () => {
    const traceId = randomUUID();
    const told = await callTool(session, 'notify', {
      message: 'It is done',
      source: 'finance',
      trace_id: traceId,
    });
    expect(told).toMatchObject({ isError: false });
    const { body } = await agent.get(`/audit?trace_id=${traceId}`);
    expect(body.events).toMatchObject([
      { event_type: 'notification.notify', metadata: { source: 'finance' } },
    ]);
    expect(JSON.stringify(body.events)).toContain('It is done');
  });

  test('fetch_status says whether the API works', async () => {
    expect((await callTool(session, 'fetch_status')).content).toMatchObject({ database: 'connected' });
  });

  test('long metadata is cut in text and whole in the structured content', async () => {
    const metadata = { note: 'n'.repeat(500) };
    const id = await openSession(agent, { agent_role: 'support', metadata });
    const found = await callTool(session, 'fetch_status', { session_id: id });
    expect(found.content).toMatchObject({ session_id: id, metadata });
    expect(found.content).not.toHaveProperty('timeline');
    expect(found.text).toContain('nnn…');
    expect(found.text).not.toContain('n'.repeat(201));
  });

  test('phase_results and session_timeline tell what the phases found', async () => {
    const repo = `${tenant.owner}/app-${randomUUID()}`;
    const where = { repo, commitSha: 'c0ffee', issueNumber: 7 };
    await store(api, tenant, { ...where, phase: 'scan', data: { vulnerabilities: [] } });
    await store(api, tenant, { ...where, phase: 'validation', data: { validated: true } });
    const fixed = await store(api, tenant, {
      ...where,
      phase: 'mitigation',
      data: { fixed: true, trustScore: 100 },
    });

    const results = await callTool(session, 'phase_results', { repo, issue: 7, commit: 'c0ffee' });
    expect(results.content).toEqual({
      scan: { vulnerabilities: [] },
      validation: { 'issue-7': { validated: true } },
      mitigation: { 'issue-7': { fixed: true, trustScore: 100 } },
    });

    const timeline = await callTool(session, 'session_timeline', { session_id: fixed.body.sessionId });
    expect(timeline.content.timeline.executions).toHaveLength(2);
    expect(
      timeline.text
        .match(/^20.*$/gm)
        ?.map((line) => line.replace(/^\S+ /, '').replace(/ run [^,]+,/, ''))
        .toSorted(),
    ).toEqual([
      'mitigation completed, red_green unknown, trust_score 100',
      'session active → completed',
      'session opened pending',
      'session pending → active',
      'validation completed, red_green unknown',
    ]);
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
