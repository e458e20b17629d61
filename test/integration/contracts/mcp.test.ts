import { randomUUID } from 'node:crypto';
import { afterAll, describe, expect, test } from 'vitest';
import { agentOf, openSession } from '../api/agent.ts';
import { makeTenant, store } from '../api/api-under-test.ts';
import { callTool, connectHttp, connectStdio } from '../mcp/mcp-client.ts';
import { ALL_SCOPES, createContractWorlds, freshRepository } from './contract-worlds.ts';

describe.each(await createContractWorlds())('$world', async ({ api }) => {
  const tenant = await makeTenant(api.pool, { scopes: ALL_SCOPES });
  const agent = agentOf(api, tenant);
  const settings = { controllerUrl: api.url, token: tenant.apiKey };
  const stdio = await connectStdio(settings);
  const http = await connectHttp(settings);
  afterAll(() => Promise.all([stdio.close(), http.close()]));
  const ways = [stdio, http];

  test('stdio and streamable HTTP: both offer the six tools', async () => {
    for (const way of ways) {
      const { tools } = await way.client.listTools();
      expect(tools.map(({ name }) => name).toSorted()).toEqual([
        'fetch_status',
        'notify',
        'phase_results',
        'request_approval',
        'send_task',
        'session_timeline',
      ]);
    }
  });

  test('`fetch_status`: a task, a session, or whether the API works', async () => {
    const id = await openSession(agent);
    for (const way of ways) {
      expect((await callTool(way, 'fetch_status')).content).toMatchObject({ database: 'connected' });
      const { content } = await callTool(way, 'fetch_status', { session_id: id });
      expect(content).toMatchObject({ session_id: id, status: 'pending' });
    }
  });

  test('`send_task`: hands over a task, which `fetch_status` finds', async () => {
    const task = { task_type: 'review', description: 'Look at it', data: { issue: 7 } };
    for (const way of ways) {
      const sent = await callTool(way, 'send_task', { target: 'engineering', ...task });
      expect(sent).toMatchObject({ isError: false, content: { status: 'accepted' } });
      const found = await callTool(way, 'fetch_status', { task_id: sent.content.task_id });
      expect(found.content).toMatchObject({ ...task, target: 'engineering' });
      expect(found.text).toContain('"review"');
    }
  });

  test('`notify`: puts a message into the audit', async () => {
    for (const way of ways) {
      const traceId = randomUUID();
      const said = { message: 'It is done', source: 'finance', trace_id: traceId };
      expect(await callTool(way, 'notify', said)).toMatchObject({ isError: false });
      const { body } = await agent.get(`/audit?trace_id=${traceId}`);
      expect(body.events).toMatchObject([
        {
          event_type: 'notification.notify',
          metadata: { source: 'finance', metadata: { message: 'It is done' } },
        },
      ]);
    }
  });

  test('`request_approval`: asks for a decision that is pending', async () => {
    for (const way of ways) {
      const asked = { task_id: `deploy-${randomUUID()}`, approver_role: 'manager', reason: 'It is Friday' };
      const { content } = await callTool(way, 'request_approval', asked);
      expect(content).toMatchObject({ status: 'pending' });
      const { body } = await agent.get('/approvals?status=pending');
      expect(body.approvals[0]).toMatchObject({ approval_id: content.approval_id, ...asked });
    }
  });

  test('`phase_results`: what the phases found', async () => {
    const repo = freshRepository(tenant);
    const where = { repo, commitSha: 'c0ffee', issueNumber: 7 };
    await store(api, tenant, { ...where, phase: 'scan', data: { vulnerabilities: [] } });
    await store(api, tenant, { ...where, phase: 'validation', data: { validated: true } });
    for (const way of ways) {
      const results = await callTool(way, 'phase_results', { repo, issue: 7, commit: 'c0ffee' });
      expect(results.content).toEqual({
        scan: { vulnerabilities: [] },
        validation: { 'issue-7': { validated: true } },
      });
    }
  });

  test('`session_timeline`: all that happened in a session', async () => {
    const where = { repo: freshRepository(tenant), commitSha: 'c0ffee', issueNumber: 7 };
    await store(api, tenant, { ...where, phase: 'validation', data: { validated: true } });
    const data = { fixed: true, trustScore: 100 };
    const fixed = await store(api, tenant, { ...where, phase: 'mitigation', data });
    for (const way of ways) {
      const { content, text } = await callTool(way, 'session_timeline', {
        session_id: fixed.body.sessionId,
      });
      expect(content.timeline.executions).toHaveLength(2);
      const lines = text.match(/^20.*$/gm) ?? [];
      expect(lines.map((line) => line.replace(/^\S+ /, '').replace(/ run [^,]+,/, '')).toSorted()).toEqual([
        'mitigation completed, red_green unknown, trust_score 100',
        'session active → completed',
        'session opened pending',
        'session pending → active',
        'validation completed, red_green unknown',
      ]);
    }
  });

  test('Arguments: are accepted flat or nested under `params`', async () => {
    const task = { target: 'engineering', task_type: 'review', idempotency_key: randomUUID() };
    const [first, ...others] = [
      await callTool(stdio, 'send_task', task),
      await callTool(stdio, 'send_task', { params: task }),
      await callTool(http, 'send_task', { params: task }),
    ];
    expect(first).toMatchObject({ isError: false, content: { status: 'accepted' } });
    for (const { content } of others) expect(content).toEqual(first?.content);
  });

  test('Long metadata: is cut at 200 characters in text, whole in structured content', async () => {
    const metadata = { note: 'n'.repeat(500) };
    const id = await openSession(agent, { agent_role: 'support', metadata });
    for (const way of ways) {
      const { content, text } = await callTool(way, 'fetch_status', { session_id: id });
      expect(content.metadata).toEqual(metadata);
      const { metadata: shown } = JSON.parse(text);
      expect(shown).toBe(`${JSON.stringify(metadata).slice(0, 200)}…`);
    }
  });
});
