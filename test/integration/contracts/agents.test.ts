import { randomUUID } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { makeAgent, newKey, openSession, routeTask } from '../api/agent.ts';
import { createContractWorlds } from './contract-worlds.ts';

const UUID = expect.stringMatching(/^[0-9a-f]{8}-([0-9a-f]{4}-){3}[0-9a-f]{12}$/);
const TIME = expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d+Z$/);

describe.each(await createContractWorlds({ withController: false }))('$world', async ({ api, redisUrl }) => {
  const agent = await makeAgent(api);

  test('`POST /sessions`: 201 with the id of a pending session', async () => {
    const taskId = randomUUID();
    const metadata = { thread: 'abc' };
    const { status, body } = await agent.post('/sessions', {
      agent_role: 'finance',
      task_id: taskId,
      metadata,
    });
    expect({ status, body }).toEqual({ status: 201, body: { session_id: UUID, status: 'pending' } });
  });

  test('`GET /sessions/{id}`: the session as a whole; 404, and 400 for what is no UUID', async () => {
    const taskId = randomUUID();
    const metadata = { thread: 'abc', nested: { deep: [1, null] } };
    const id = await openSession(agent, { agent_role: 'finance', task_id: taskId, metadata });
    const { status, body } = await agent.get(`/sessions/${id}`);
    expect({ status, body }).toEqual({
      status: 200,
      body: {
        session_id: id,
        agent_role: 'finance',
        state: 'pending',
        status: 'pending',
        outcome: null,
        task_id: taskId,
        repository: null,
        subject: null,
        metadata,
        created_at: TIME,
        updated_at: TIME,
        timeline: {
          transitions: [{ from: null, to: 'pending', at: TIME, run_id: null }],
          phases: [],
          executions: [],
        },
      },
    });
    expect(await agent.get(`/sessions/${randomUUID()}`)).toMatchObject({
      status: 404,
      body: { code: 'NOT_FOUND', detail: 'There is no such session' },
    });
    expect(await agent.get('/sessions/12')).toMatchObject({
      status: 400,
      body: { code: 'VALIDATION_FAILED', errors: [{ path: 'id', message: 'id must be a UUID' }] },
    });
  });

  test('`GET /sessions/{task_id}`: the session that carries this task', async () => {
    const task = await routeTask(agent);
    expect((await agent.get(`/sessions/${task}`)).status).toBe(404);
    const first = await openSession(agent, { agent_role: 'finance', task_id: task });
    expect((await agent.get(`/sessions/${task}`)).body).toMatchObject({ session_id: first, task_id: task });
    const second = await openSession(agent, { agent_role: 'finance', task_id: task });
    expect((await agent.get(`/sessions/${task}`)).body.session_id).toBe(second);
  });

  test('`PUT /sessions/{id}`: merges metadata; a forbidden transition leaves everything as it was', async () => {
    const id = await openSession(agent, { agent_role: 'finance', metadata: { kept: 1, replaced: { a: 1 } } });
    const task = randomUUID();
    const moved = await agent.put(`/sessions/${id}`, {
      status: 'active',
      task_id: task,
      metadata: { replaced: { b: 2 } },
    });
    const { body: now } = await agent.get(`/sessions/${id}`);
    expect(moved).toMatchObject({ status: 200, body: now });
    expect(now).toMatchObject({ state: 'active', status: 'active', task_id: task });
    expect(now.metadata).toEqual({ kept: 1, replaced: { b: 2 } });
    expect(await agent.put(`/sessions/${id}`, { status: 'paused' })).toMatchObject({
      status: 400,
      body: { errors: [{ path: 'status', message: expect.stringContaining('pending, active, completed') }] },
    });
    expect(await agent.put(`/sessions/${id}`, { status: 'pending', metadata: { lost: true } })).toMatchObject(
      {
        status: 422,
        body: { code: 'INVALID_TRANSITION', detail: 'Invalid transition from active to pending' },
      },
    );
    expect((await agent.get(`/sessions/${id}`)).body).toEqual(now);
  });

  test('`PUT /sessions/{id}/events`: activate, complete and fail', async () => {
    const id = await openSession(agent);
    const early = await agent.put(`/sessions/${id}/events`, { event: 'complete' });
    expect(early).toMatchObject({
      status: 422,
      body: { detail: 'Invalid transition from pending to completed' },
    });
    const activated = await agent.put(`/sessions/${id}/events`, { event: 'activate' });
    expect(activated).toMatchObject({ status: 200, body: { session_id: id, state: 'active' } });
    const completed = await agent.put(`/sessions/${id}/events`, { event: 'complete' });
    expect(completed).toMatchObject({ status: 200, body: { state: 'completed' } });
    expect(await agent.put(`/sessions/${id}/events`, { event: 'fail' })).toMatchObject({ status: 422 });
    expect(await agent.put(`/sessions/${id}/events`, { event: 'explode' })).toMatchObject({
      status: 400,
      body: { detail: expect.stringContaining('Invalid transition') },
    });
    const other = await openSession(agent);
    await agent.put(`/sessions/${other}/events`, { event: 'activate' });
    const failed = await agent.put(`/sessions/${other}/events`, { event: 'fail' });
    expect(failed).toMatchObject({ status: 200, body: { state: 'failed' } });
  });

  test('`GET /sessions`: newest first, in pages', async () => {
    const lister = await makeAgent(api);
    const ids = [await openSession(lister), await openSession(lister), await openSession(lister)];
    const { status, body } = await lister.get('/sessions?page=1&page_size=2');
    expect(status).toBe(200);
    expect(body).toMatchObject({ total: 3, page: 1, page_size: 2 });
    expect(body.sessions.map(idOf)).toEqual([ids[2], ids[1]]);
    expect(body.sessions[0]).toMatchObject({ agent_role: 'support', state: 'pending', metadata: {} });
    expect((await lister.get('/sessions')).body).toMatchObject({ total: 3, page: 1, page_size: 20 });
    for (const [asked, got] of [
      ['0', 1],
      ['1000', 100],
    ] as const)
      expect((await lister.get(`/sessions?page_size=${asked}`)).body.page_size).toBe(got);
    expect(await lister.get('/sessions?page=99999999999')).toMatchObject({
      status: 200,
      body: { sessions: [], total: 3 },
    });
    await lister.put(`/sessions/${ids[0]}`, { status: 'active' });
    const found = async (query: string) => (await lister.get(`/sessions?${query}`)).body.sessions.map(idOf);
    expect(await found('status=active')).toEqual([ids[0]]);
    expect(await found('agent_role=finance')).toEqual([]);
    const { next_cursor: cursor } = (await lister.get('/sessions?page_size=2')).body;
    expect(await found(`page_size=2&cursor=${encodeURIComponent(cursor)}`)).toEqual([ids[0]]);
  });

  test('`POST /tasks/route`: 202 under a UUID; the same key is the same task', async () => {
    const request = {
      target: 'finance',
      task: { task_type: 'audit', description: 'Look at it', data: { amount: 12.5 } },
      context: { thread: 'abc' },
    };
    const key = newKey();
    const first = await agent.post('/tasks/route', request, { ...key, 'x-trace-id': 'trace of mine' });
    expect(first).toMatchObject({
      status: 202,
      body: { task_id: UUID, status: 'accepted', trace_id: 'trace of mine' },
    });
    const again = await agent.post('/tasks/route', request, { ...key, 'x-trace-id': 'another' });
    expect({ status: again.status, body: again.body }).toEqual({ status: 202, body: first.body });
    for (const headers of [{}, { 'idempotency-key': 'abc' }]) {
      expect(await agent.post('/tasks/route', request, headers)).toMatchObject({
        status: 400,
        body: { errors: [{ path: 'Idempotency-Key', message: expect.stringContaining('UUID') }] },
      });
    }
  });

  test('`GET /tasks/{id}`: the task that was routed', async () => {
    const context = ['anything', { goes: null }];
    const task = { task_type: 'audit', description: 'Look at it', data: { amount: 12.5 } };
    const id = await routeTask(agent, { task, context, from_role: 'manager' });
    const { status, body } = await agent.get(`/tasks/${id}`);
    expect({ status, body }).toEqual({
      status: 200,
      body: {
        task_id: id,
        task_type: 'audit',
        description: 'Look at it',
        target: 'finance',
        from_role: 'manager',
        data: { amount: 12.5 },
        context,
        status: 'accepted',
        trace_id: expect.stringMatching(/^[0-9a-f]{32}$/),
        created_at: TIME,
        completed_at: null,
      },
    });
    expect((await agent.get(`/tasks/${randomUUID()}`)).body.detail).toBe('There is no such task');
    expect((await agent.get('/tasks/12')).status).toBe(400);
  });

  test('`GET /tasks`: by target and status, so many', async () => {
    const lister = await makeAgent(api);
    const task = await routeTask(lister);
    const other = await routeTask(lister, { target: 'marketing' });
    const newest = await routeTask(lister);
    const list = async (query: string) => (await lister.get(`/tasks${query}`)).body.tasks.map(taskIdOf);
    expect(await list('')).toEqual([newest, other, task]);
    expect(await list('?target=finance')).toEqual([newest, task]);
    expect(await list('?status=accepted&limit=1')).toEqual([newest]);
    expect(await list('?status=completed')).toEqual([]);
    expect(await list('?target=marketing&status=accepted')).toEqual([other]);
  });

  test('`POST /approvals`: 202 with the decision, pending when there is none', async () => {
    const asked = await agent.post('/approvals', { task_id: 'any text', reason: 'spends money' });
    expect(asked).toMatchObject({ status: 202, body: { approval_id: UUID, status: 'pending' } });
    for (const decision of ['pending', 'approved', 'rejected']) {
      const { status, body } = await agent.post('/approvals', {
        task_id: randomUUID(),
        decision,
        comments: 'as agreed',
        approver_role: 'manager',
      });
      expect({ status, body }).toEqual({ status: 202, body: { approval_id: UUID, status: decision } });
    }
    expect((await agent.post('/approvals', { task_id: 'x', decision: 'maybe' })).status).toBe(400);
  });

  test('`PUT /approvals/{id}`: decides once; a second time is 409', async () => {
    const { body: asked } = await agent.post('/approvals', { task_id: 'any text', reason: 'spends money' });
    const path = `/approvals/${asked.approval_id}`;
    const decided = await agent.put(path, { decision: 'approved', comments: 'go', approver_role: 'manager' });
    expect(decided).toMatchObject({
      status: 200,
      body: {
        approval_id: asked.approval_id,
        task_id: 'any text',
        status: 'approved',
        reason: 'spends money',
        comments: 'go',
        approver_role: 'manager',
        created_at: TIME,
        decided_at: TIME,
      },
    });
    for (const decision of ['rejected', 'approved']) {
      expect(await agent.put(path, { decision })).toMatchObject({
        status: 409,
        body: { code: 'APPROVAL_DECIDED', detail: expect.stringContaining('approved already') },
      });
    }
    expect((await agent.get(path)).body).toEqual(decided.body);
    expect((await agent.put(`/approvals/${randomUUID()}`, { decision: 'approved' })).status).toBe(404);
    expect((await agent.put('/approvals/12', { decision: 'approved' })).status).toBe(400);
    expect((await agent.put(path, { decision: 'pending' })).status).toBe(400);
  });

  test('`GET /approvals`: by status', async () => {
    const lister = await makeAgent(api);
    const ids: string[] = [];
    for (const decision of ['pending', 'approved', 'pending']) {
      ids.push((await lister.post('/approvals', { task_id: 'x', decision })).body.approval_id);
    }
    const list = async (query: string) =>
      (await lister.get(`/approvals${query}`)).body.approvals.map(approvalIdOf);
    expect(await list('')).toEqual(ids.toReversed());
    expect(await list('?status=pending')).toEqual([ids[2], ids[0]]);
    expect(await list('?status=rejected')).toEqual([]);
    expect(await list('?task_id=x&status=approved')).toEqual([ids[1]]);
    expect(await list('?task_id=y')).toEqual([]);
    expect((await lister.get('/approvals?status=maybe')).status).toBe(400);
  });

  test('`GET /audit`: the events of the customer, newest first', async () => {
    const auditor = await makeAgent(api);
    const trace = { 'x-trace-id': 'a trace' };
    const { body: session } = await auditor.post('/sessions', { agent_role: 'finance' }, trace);
    await auditor.put(`/sessions/${session.session_id}`, { status: 'active' });
    const { status, body } = await auditor.get('/audit');
    expect(status).toBe(200);
    expect(body.events).toMatchObject([
      { event_type: 'session.active', role: 'finance', metadata: { from: 'pending', to: 'active' } },
      {
        id: expect.any(Number),
        event_type: 'session.created',
        role: 'finance',
        timestamp: TIME,
        trace_id: 'a trace',
        metadata: { sessionId: session.session_id, actor: expect.stringMatching(/^key:/) },
      },
    ]);
    const types = async (query: string) => (await auditor.get(`/audit?${query}`)).body.events.map(typeOf);
    expect(await types('trace_id=a+trace')).toEqual(['session.created']);
    expect(await types('event_type=session.active')).toEqual(['session.active']);
    expect(await types(`since=${body.events[1].timestamp.replace(/\.\d+/, '')}`)).toHaveLength(2);
    expect(await types('since=2999-01-01T00:00:00+01:00')).toEqual([]);
  });

  test('`POST /audit/ingest`: 202 with the id of the event', async () => {
    const event = {
      source: 'mesh',
      category: 'budget',
      action: 'exceeded',
      subject: 'team a',
      traceId: 'of the mesh',
      timestamp: '2026-02-11T09:14:03Z',
      metadata: { by: 12 },
    };
    const { status, body } = await agent.post('/audit/ingest', event);
    expect({ status, body }).toEqual({ status: 202, body: { id: expect.any(Number) } });
    const { body: found } = await agent.get('/audit?trace_id=of the mesh');
    expect(found.events).toMatchObject([
      {
        id: body.id,
        event_type: 'budget.exceeded',
        metadata: {
          source: 'mesh',
          category: 'budget',
          action: 'exceeded',
          subject: 'team a',
          occurredAt: '2026-02-11T09:14:03Z',
          metadata: { by: 12 },
        },
      },
    ]);
    expect(Date.parse(found.events[0].timestamp)).toBeGreaterThan(Date.parse(event.timestamp));
  });

  test('`GET /profiles/{role}`: the five that there are; 404', async () => {
    for (const role of ['finance', 'manager', 'engineering', 'marketing', 'support']) {
      const { status, body } = await agent.get(`/profiles/${role}`);
      expect({ status, body }).toEqual({
        status: 200,
        body: {
          role,
          capabilities: expect.arrayContaining([expect.any(String)]),
          metadata: expect.any(Object),
        },
      });
    }
    expect(await agent.get('/profiles/astronaut')).toMatchObject({
      status: 404,
      body: { code: 'NOT_FOUND', detail: 'There is no such profile' },
    });
  });

  test('`GET /status`: is public', async () => {
    const response = await fetch(`${api.url}/status`);
    expect(response.status).toBe(200);
    expect(await response.json()).toEqual({ status: 'ok', version: '0.0.0-test' });
  });

  test('`GET /health`: is public, and so are the probes', async () => {
    const response = await fetch(`${api.url}/health`);
    expect(response.status).toBe(200);
    expect(await response.json()).toEqual({
      status: 'healthy',
      version: '0.0.0-test',
      database: 'connected',
      redis: redisUrl === undefined ? 'disabled' : 'connected',
      kubernetes: 'connected',
    });
    for (const probe of ['livez', 'readyz']) expect((await fetch(`${api.url}/${probe}`)).status).toBe(200);
  });
});

function idOf({ session_id }: { session_id: string }): string {
  return session_id;
}
function taskIdOf({ task_id }: { task_id: string }): string {
  return task_id;
}
function approvalIdOf({ approval_id }: { approval_id: string }): string {
  return approval_id;
}
function typeOf({ event_type }: { event_type: string }): string {
  return event_type;
}
