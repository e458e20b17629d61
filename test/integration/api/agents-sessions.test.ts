import { randomUUID } from 'node:crypto';
import { sql } from 'slonik';
import { describe, expect, inject, test } from 'vitest';
import { z } from 'zod';
import { SESSION_STATES, type SessionState } from '../../../src/domain/session.ts';
import { METADATA_LIMIT_BYTES } from '../../../src/domain/session-change.ts';
import { archiveRun } from '../../../src/store/archive.ts';
import { RacedError } from '../../../src/store/raced-error.ts';
import { lockSession, updateSession } from '../../../src/store/session-moves.ts';
import { freshDatabase } from '../../fixtures/database.ts';
import { freshNamespace } from '../../fixtures/kubernetes.ts';
import { makeRun, repository } from '../store/builders.ts';
import { type Agent, agentOf, makeAgent, newKey, openSession, routeTask } from './agent.ts';
import { startApi } from './api-under-test.ts';

const { url: databaseUrl } = await freshDatabase();
const world = { kubeconfigPath: inject('kubeconfigPath'), databaseUrl };
const api = await startApi({ ...world, namespace: await freshNamespace() });
const replica = await startApi({ ...world, namespace: api.namespace });
const agent = await makeAgent(api);

/** Ways from birth to each state. */
const WAYS: Readonly<Record<SessionState, readonly SessionState[]>> = {
  pending: [],
  active: ['active'],
  completed: ['active', 'completed'],
  failed: ['active', 'failed'],
  expired: ['expired'],
};

const PAIRS = SESSION_STATES.flatMap((from) => SESSION_STATES.map((to) => ({ from, to })));
const STAYING = PAIRS.filter(({ from, to }) => from === to);
const STEPS = [
  { from: 'pending', to: 'active' },
  { from: 'pending', to: 'expired' },
  { from: 'active', to: 'completed' },
  { from: 'active', to: 'failed' },
  { from: 'active', to: 'expired' },
] as const;
const REFUSED = PAIRS.filter(
  (pair) => pair.from !== pair.to && !STEPS.some(({ from, to }) => from === pair.from && to === pair.to),
);

async function sessionIn(state: SessionState, owner: Agent = agent): Promise<string> {
  const id = await openSession(owner);
  for (const status of WAYS[state]) await owner.put(`/sessions/${id}`, { status });
  return id;
}

async function tryStep({ from, to }: { readonly from: SessionState; readonly to: SessionState }) {
  const id = await sessionIn(from);
  const { body: before } = await agent.get(`/sessions/${id}`);
  const answer = await agent.put(`/sessions/${id}`, { status: to });
  const { body: after } = await agent.get(`/sessions/${id}`);
  return { before, answer, after };
}

describe('of the twenty-five pairs of states', () => {
  test('each is tried here', () => {
    expect(STAYING.length + STEPS.length + REFUSED.length).toBe(25);
  });

  test.each(STAYING)('$from to $to changes nothing', async (pair) => {
    const { before, answer, after } = await tryStep(pair);
    expect(before.state).toBe(pair.from);
    expect(answer).toMatchObject({ status: 200, body: before });
    expect(after).toEqual(before);
  });

  test.each(STEPS)('$from to $to is a step, which is recorded', async (pair) => {
    const { before, answer, after } = await tryStep(pair);
    expect(before.state).toBe(pair.from);
    expect(answer).toMatchObject({ status: 200, body: after });
    expect(after).toMatchObject({ state: pair.to, status: pair.to });
    const [last, ...earlier] = after.timeline.transitions.toReversed();
    expect(last).toMatchObject(pair);
    expect(earlier.toReversed()).toEqual(before.timeline.transitions);
  });

  test.each(REFUSED)('$from to $to is refused', async (pair) => {
    const { before, answer, after } = await tryStep(pair);
    expect(before.state).toBe(pair.from);
    const detail = `Invalid transition from ${pair.from} to ${pair.to}`;
    expect(answer).toMatchObject({ status: 422, body: { code: 'INVALID_TRANSITION', detail } });
    expect(after).toEqual(before);
  });
});

describe('the statement that moves a session, asked of those pairs by itself', () => {
  const move = async ({ from, to }: { readonly from: SessionState; readonly to: SessionState }) => {
    const id = await sessionIn(from);
    const update = { status: to, taskId: null, metadata: {} };
    return updateSession(api.pool, agent.tenant.customerId, { id, status: from }, update);
  };

  test.each([...STAYING, ...STEPS])('$from to $to: does so', async (pair) => {
    expect(await move(pair)).toMatchObject({ status: pair.to });
  });

  test.each(REFUSED)('$from to $to: refuses', async (pair) => {
    await expect(move(pair)).rejects.toThrow(RacedError);
  });
});

test('of many who end a session differently at once, one gets its way', async () => {
  const id = await sessionIn('active');
  const ends: SessionState[] = ['completed', 'failed', 'expired'];
  const wanted = Array.from({ length: 12 }, (_, index) => ends[index % 3] ?? 'failed');
  const answers = await Promise.all(wanted.map((status) => agent.put(`/sessions/${id}`, { status })));
  const { state, timeline } = (await agent.get(`/sessions/${id}`)).body;
  // Those who wanted what it became are told that it is so.
  expect(answers.map(({ status }) => status)).toEqual(wanted.map((end) => (end === state ? 200 : 422)));
  expect(timeline.transitions).toHaveLength(3);
  const { events } = (await agent.get(`/audit?event_type=session.${state}&limit=100`)).body;
  const told = events.filter(
    ({ metadata }: { metadata: { sessionId: string } }) => metadata.sessionId === id,
  );
  expect(told).toHaveLength(1);
});

test('a writer who saw another state than there is fails, and leaves the session alone', async () => {
  const id = await sessionIn('active');
  const seen = { id, status: 'pending' } as const;
  const update = { status: 'expired', taskId: null, metadata: { stale: true } } as const;
  const moving = updateSession(api.pool, agent.tenant.customerId, seen, update);
  await expect(moving).rejects.toThrow(RacedError);
  expect((await agent.get(`/sessions/${id}`)).body).toMatchObject({ state: 'active', metadata: {} });
  expect(await lockSession(api.pool, randomUUID(), id)).toBeNull();
});

describe('metadata', () => {
  test('merges by the members that are named, also of a session that has ended', async () => {
    const id = await openSession(agent, { agent_role: 'support', metadata: { a: 1, b: { c: 2 } } });
    await agent.put(`/sessions/${id}`, { status: 'expired' });
    const { body } = await agent.put(`/sessions/${id}`, { metadata: { b: { d: 3 }, e: null } });
    expect(body).toMatchObject({ state: 'expired' });
    expect(body.metadata).toEqual({ a: 1, b: { d: 3 }, e: null });
  });

  test('of writers at once, all of it is kept', async () => {
    const id = await openSession(agent);
    const keys = Array.from({ length: 10 }, (_, index) => `key${index}`);
    await Promise.all(keys.map((key) => agent.put(`/sessions/${id}`, { metadata: { [key]: true } })));
    const { metadata } = (await agent.get(`/sessions/${id}`)).body;
    expect(Object.keys(metadata).toSorted()).toEqual(keys);
  });

  test('is bounded as a whole, when it is made and after each merge', async () => {
    const half = 'x'.repeat(METADATA_LIMIT_BYTES / 2);
    const refused = { status: 400, body: { errors: [{ path: 'metadata' }] } };
    const whole = { agent_role: 'support', metadata: { a: half, b: half } };
    expect(await agent.post('/sessions', whole)).toMatchObject(refused);
    const id = await openSession(agent, { agent_role: 'support', metadata: { a: half } });
    expect(await agent.put(`/sessions/${id}`, { status: 'active', metadata: { b: half } })).toMatchObject(
      refused,
    );
    expect((await agent.get(`/sessions/${id}`)).body).toMatchObject({
      state: 'pending',
      metadata: { a: half },
    });
    expect((await agent.put(`/sessions/${id}`, { metadata: { a: 'less', b: half } })).status).toBe(200);
  });
});

test('what changes nothing writes nothing', async () => {
  const id = await openSession(agent, { agent_role: 'support', metadata: { a: 1 } });
  const { body: before } = await agent.get(`/sessions/${id}`);
  const events = async () =>
    (
      await api.pool.one(sql.type(z.object({ count: z.number() }))`
    SELECT count(*) FROM audit_events WHERE metadata->>'sessionId' = ${id}
  `)
    ).count;
  for (const body of [{}, { status: 'pending' }, { metadata: { a: 1 } }, { task_id: null, metadata: null }]) {
    expect(await agent.put(`/sessions/${id}`, body)).toMatchObject({ status: 200, body: before });
  }
  expect(await events()).toBe(1);
});

describe('a list', async () => {
  const lister = await makeAgent(api);
  const ids: string[] = [];
  for (let index = 0; index < 25; index += 1) {
    const id = await openSession(lister, { agent_role: index % 5 === 0 ? 'finance' : 'support' });
    if (index % 2 === 0) await lister.put(`/sessions/${id}`, { status: 'active' });
    ids.unshift(id);
  }
  const list = async (query: string) => {
    const { status, body } = await lister.get(`/sessions?${query}`);
    expect(status).toBe(200);
    return { ...body, ids: body.sessions.map(({ session_id }: { session_id: string }) => session_id) };
  };

  test.each([
    { query: '', want: { page: 1, page_size: 20, ids: ids.slice(0, 20) } },
    { query: 'page=2', want: { page: 2, page_size: 20, ids: ids.slice(20) } },
    { query: 'page=3&page_size=10', want: { page: 3, page_size: 10, ids: ids.slice(20) } },
    { query: 'page=4&page_size=10', want: { page: 4, page_size: 10, ids: [] } },
    { query: 'page_size=0', want: { page_size: 1, ids: ids.slice(0, 1) } },
    { query: 'page_size=-5', want: { page_size: 1, ids: ids.slice(0, 1) } },
    { query: 'page_size=101', want: { page_size: 100, ids } },
    { query: 'page_size=99999999999999999999', want: { page_size: 100, ids } },
    { query: 'page=0', want: { page: 1 } },
    { query: 'page=-1', want: { page: 1 } },
    { query: 'page=1000000&page_size=100', want: { page: 1_000_000, ids: [] } },
    { query: 'page=9223372036854775808', want: { ids: [] } },
    { query: `page=${'9'.repeat(400)}&page_size=100`, want: { ids: [] } },
  ])('of ?$query', async ({ query, want }) => {
    expect(await list(query)).toMatchObject({ total: 25, ...want });
  });

  test.each([
    'page=one',
    'page=1.5',
    'page_size=',
    'page=1&page=2',
    'status=paused',
    'cursor=abc',
    'agent_role=',
  ])('?%s is refused by name', async (query) => {
    const { status, body } = await lister.get(`/sessions?${query}`);
    expect({ status, path: body.errors[0].path }).toEqual({ status: 400, path: query.split('=')[0] });
  });

  test('is filtered by role and status, and counted so', async () => {
    const finance = ids.filter((_, index) => (24 - index) % 5 === 0);
    const active = ids.filter((_, index) => (24 - index) % 2 === 0);
    expect(await list('agent_role=finance')).toMatchObject({ total: 5, ids: finance });
    expect(await list('status=active&page_size=100')).toMatchObject({ total: 13, ids: active });
    const both = finance.filter((id) => active.includes(id));
    expect(await list('status=active&agent_role=finance')).toMatchObject({ total: 3, ids: both });
    expect(await list('agent_role=nobody')).toMatchObject({ total: 0, ids: [] });
  });

  test.each(['', 'status=active&', 'agent_role=support&', 'status=pending&agent_role=support&'])(
    'of ?%s goes by cursor to the end, each session once, whatever is new meanwhile',
    async (filter) => {
      const all = (await list(`${filter}page_size=100`)).ids;
      const seen: string[] = [];
      let page = await list(`${filter}page_size=4`);
      seen.push(...page.ids);
      while (page.next_cursor !== null) {
        await openSession(await makeAgent(api));
        page = await list(`${filter}page_size=4&cursor=${page.next_cursor}`);
        expect(page).not.toHaveProperty('total');
        seen.push(...page.ids);
      }
      expect(seen).toEqual(all);
    },
  );

  test('of those created at the same moment has an order too', async () => {
    const twin = await makeAgent(api);
    const made = [await openSession(twin), await openSession(twin), await openSession(twin)];
    await api.pool.query(sql.type(z.object({}))`
      UPDATE sessions SET created_at = '2026-02-11T09:14:03.123456Z' WHERE customer_id = ${twin.tenant.customerId}
    `);
    const seen: string[] = [];
    let cursor = '';
    for (let page = 0; page < 3; page += 1) {
      const { body } = await twin.get(`/sessions?page_size=1${cursor}`);
      seen.push(body.sessions[0].session_id);
      cursor = `&cursor=${body.next_cursor}`;
    }
    expect(seen).toEqual(made.toSorted().toReversed());
  });

  test('is of the customer alone', async () => {
    const other = await makeAgent(api);
    expect((await other.get('/sessions')).body).toMatchObject({ total: 0, sessions: [] });
  });
});

describe('a session that runs drive', () => {
  test('is answered with its phases, executions and transitions', async () => {
    const { customerId } = agent.tenant;
    const target = repository('nodegoat', 'acme');
    const common = { customerId, repository: target, issueNumber: 7, commitSha: '7776c71' };
    const failed = makeRun({
      ...common,
      status: 'completed',
      data: { validated: true, vulnerabilities: [{}] },
    });
    const fixed = makeRun({
      ...common,
      phase: 'mitigation',
      commitSha: 'f1x',
      data: { prUrl: 'https://github.com/acme/nodegoat/pull/9', preTestPassed: false, postTestPassed: true },
    });
    const first = await archiveRun(api.pool, failed);
    await archiveRun(api.pool, fixed);
    const sessionId = 'session' in first ? first.session?.id : undefined;
    const { status, body } = await agent.get(`/sessions/${sessionId}`);
    expect(status).toBe(200);
    expect(body).toMatchObject({
      session_id: sessionId,
      agent_role: 'phaserun',
      state: 'completed',
      outcome: 'fixed',
      repository: 'github:acme/nodegoat',
      subject: 'issue/7',
      timeline: {
        transitions: [
          { from: null, to: 'pending', run_id: failed.runId },
          { from: 'pending', to: 'active', run_id: failed.runId },
          { from: 'active', to: 'completed', run_id: fixed.runId },
        ],
        phases: [
          { phase: 'validation', status: 'completed', executions: 1 },
          { phase: 'mitigation', status: 'completed', executions: 1 },
        ],
        executions: [
          { id: failed.runId, phase: 'validation', issue_number: 7, commit_sha: '7776c71', validated: true },
          {
            id: fixed.runId,
            phase: 'mitigation',
            commit_sha: 'f1x',
            red_green: 'proven',
            trust_score: 100,
            pull_request_url: 'https://github.com/acme/nodegoat/pull/9',
          },
        ],
      },
    });
    const listed = await agent.get('/sessions?agent_role=phaserun');
    const { timeline: _, ...summary } = body;
    expect(listed.body.sessions).toEqual([summary]);
  });
});

describe('a task', () => {
  test('has the state of the session that carries it', async () => {
    const task = await routeTask(agent);
    const stateOf = async () => (await agent.get(`/tasks/${task}`)).body;
    expect(await stateOf()).toMatchObject({ status: 'accepted', completed_at: null });
    const first = await openSession(agent, { agent_role: 'finance', task_id: task });
    expect(await stateOf()).toMatchObject({ status: 'pending' });
    await agent.put(`/sessions/${first}`, { status: 'expired' });
    expect(await stateOf()).toMatchObject({ status: 'expired', completed_at: null });
    const second = await openSession(agent);
    await agent.put(`/sessions/${second}`, { status: 'active', task_id: task });
    expect(await stateOf()).toMatchObject({ status: 'active' });
    await agent.put(`/sessions/${second}`, { status: 'completed' });
    const done = await stateOf();
    expect(done).toMatchObject({ status: 'completed', completed_at: expect.any(String) });
    await openSession(agent, { agent_role: 'finance', task_id: task });
    expect(await stateOf()).toEqual(done);
  });

  test('of another customer is carried, and not moved', async () => {
    const other = await makeAgent(api);
    const task = await routeTask(other);
    const session = await openSession(agent, { agent_role: 'finance', task_id: task });
    await agent.put(`/sessions/${session}`, { status: 'active' });
    expect((await other.get(`/tasks/${task}`)).body.status).toBe('accepted');
    expect((await other.get(`/sessions/${task}`)).status).toBe(404);
  });
});

test('each step is counted once, however often it is asked for', async () => {
  const own = agentOf(replica, agent.tenant);
  const key = newKey();
  const id = (await own.post('/sessions', { agent_role: 'support' }, key)).body.session_id;
  expect((await own.post('/sessions', { agent_role: 'support' }, key)).body.session_id).toBe(id);
  for (let times = 0; times < 3; times += 1) await own.put(`/sessions/${id}/events`, { event: 'activate' });
  await own.put(`/sessions/${id}`, { status: 'pending' });
  const metrics = await (await fetch(`${replica.url}/metrics`)).text();
  const counted = metrics.match(/^rsolv_session_transitions_total.* [1-9]\d*$/gm);
  expect(counted).toEqual([
    'rsolv_session_transitions_total{from="none",to="pending"} 1',
    'rsolv_session_transitions_total{from="pending",to="active"} 1',
  ]);
});
