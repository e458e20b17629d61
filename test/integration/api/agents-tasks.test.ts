import { randomUUID } from 'node:crypto';
import { sql } from 'slonik';
import { describe, expect, inject, test } from 'vitest';
import { z } from 'zod';
import { createApiKey } from '../../../src/store/api-keys.ts';
import { freshDatabase } from '../../fixtures/database.ts';
import { freshNamespace } from '../../fixtures/kubernetes.ts';
import { agentOf, makeAgent, newKey, routeTask } from './agent.ts';
import { makeTenant, startApi } from './api-under-test.ts';

const { url: databaseUrl } = await freshDatabase();
const api = await startApi({
  kubeconfigPath: inject('kubeconfigPath'),
  databaseUrl,
  namespace: await freshNamespace(),
  auditReads: false,
});
const agent = await makeAgent(api);

async function countTasks(customerId: string): Promise<number> {
  const counted = z.object({ count: z.number() });
  const { count } = await api.pool.one(
    sql.type(counted)`SELECT count(*) FROM tasks WHERE customer_id = ${customerId}`,
  );
  return count;
}

describe('a client that calls the type of a task "type"', () => {
  test.each([
    {
      name: 'and sends its data beside it',
      task: { type: 'audit', description: 'Look', amount: 12.5, tags: ['a'] },
      want: {
        task_type: 'audit',
        description: 'Look',
        data: { description: 'Look', amount: 12.5, tags: ['a'] },
      },
    },
    {
      name: 'and nothing else',
      task: { type: 'audit' },
      want: { task_type: 'audit', description: null, data: {} },
    },
    {
      name: 'beside task_type, which is the one that counts',
      task: { type: 'other', task_type: 'audit', data: { a: 1 }, extra: 2 },
      want: { task_type: 'audit', data: { a: 1 } },
    },
    {
      name: 'and means nothing by null',
      task: { task_type: 'audit', description: null, data: null },
      want: { description: null, data: {} },
    },
  ])('$name', async ({ task, want }) => {
    const id = await routeTask(agent, { task });
    expect((await agent.get(`/tasks/${id}`)).body).toMatchObject(want);
  });
});

describe('a task that cannot be routed', () => {
  const good = { target: 'finance', task: { task_type: 'audit' } };
  test.each([
    { name: 'no target', body: { task: good.task }, path: 'target' },
    { name: 'an empty target', body: { ...good, target: '' }, path: 'target' },
    { name: 'a target of 51 characters', body: { ...good, target: 'x'.repeat(51) }, path: 'target' },
    { name: 'no task', body: { target: 'finance' }, path: 'task' },
    { name: 'a task that is a string', body: { ...good, task: 'audit' }, path: 'task' },
    { name: 'a task without a type', body: { ...good, task: { data: {} } }, path: 'task.task_type' },
    { name: 'a type of 51 characters', body: { ...good, task: { type: 'x'.repeat(51) } }, path: 'task.type' },
    {
      name: 'data that is an array',
      body: { ...good, task: { task_type: 'a', data: [] } },
      path: 'task.data',
    },
    { name: 'a list', body: [], path: 'body' },
  ])('for $name is refused by name, again and again', async ({ body, path }) => {
    const key = newKey();
    const first = await agent.post('/tasks/route', body, key);
    expect(first).toMatchObject({ status: 400, body: { code: 'VALIDATION_FAILED', errors: [{ path }] } });
    const again = await agent.post('/tasks/route', body, key);
    expect({ status: again.status, body: again.body }).toEqual({ status: 400, body: first.body });
  });

  test('leaves no task', async () => {
    const other = await makeAgent(api);
    const key = newKey();
    for (let times = 0; times < 3; times += 1) {
      expect((await other.post('/tasks/route', { target: 'finance', task: {} }, key)).status).toBe(400);
    }
    expect(await countTasks(other.tenant.customerId)).toBe(0);
  });
});

test('roles and types are counted in characters, however they are encoded', async () => {
  const target = '🦊'.repeat(50);
  const id = await routeTask(agent, { target });
  expect((await agent.get(`/tasks?target=${encodeURIComponent(target)}`)).body.tasks).toMatchObject([
    { task_id: id, target },
  ]);
});

describe('under one Idempotency-Key', () => {
  const request = { target: 'finance', task: { task_type: 'audit' } };

  test('fifty at once route one task', async () => {
    const other = await makeAgent(api);
    const key = newKey();
    const answers = await Promise.all(
      Array.from({ length: 50 }, () => other.post('/tasks/route', request, key)),
    );
    expect(await countTasks(other.tenant.customerId)).toBe(1);
    const routed = answers.filter(({ status }) => status === 202);
    expect(new Set(routed.map(({ body }) => body.task_id)).size).toBe(1);
    const refused = answers.filter(({ status }) => status !== 202);
    expect(refused.map(({ status, headers }) => [status, headers.get('retry-after')])).toEqual(
      refused.map(() => [409, expect.stringMatching(/^\d+$/)]),
    );
  });

  test('each customer has a task of its own', async () => {
    const other = await makeAgent(api);
    const key = newKey();
    const [mine, theirs] = [
      await agent.post('/tasks/route', request, key),
      await other.post('/tasks/route', request, key),
    ];
    expect(theirs.status).toBe(202);
    expect(theirs.body.task_id).not.toBe(mine.body.task_id);
    expect((await other.get(`/tasks/${mine.body.task_id}`)).status).toBe(404);
  });

  test('two agents of one customer find the same task, which was routed and audited once', async () => {
    const colleague = agentOf(api, await colleagueOf(agent.tenant.customerId));
    const key = newKey();
    const first = await agent.post('/tasks/route', request, key);
    const second = await colleague.post('/tasks/route', request, key);
    expect(second).toMatchObject({ status: 202, body: first.body });
    const { events } = (await agent.get('/audit?event_type=task.routed&limit=100')).body;
    const told = events.filter(
      ({ metadata }: { metadata: { taskId: string } }) => metadata.taskId === first.body.task_id,
    );
    expect(told).toHaveLength(1);
  });

  test('the first task is found also when the answer is no longer kept', async () => {
    const key = newKey();
    const first = await agent.post('/tasks/route', request, key);
    await api.pool.query(sql.type(z.object({}))`UPDATE idempotency_keys SET expires_at = now()`);
    expect(await agent.post('/tasks/route', request, key)).toMatchObject({ status: 202, body: first.body });
  });

  test('another task is refused', async () => {
    const key = newKey();
    await agent.post('/tasks/route', request, key);
    const other = { ...request, target: 'marketing' };
    expect(await agent.post('/tasks/route', other, key)).toMatchObject({
      status: 422,
      body: { code: 'IDEMPOTENCY_KEY_REUSED' },
    });
  });
});

test('a list goes by cursor to the end', async () => {
  const lister = await makeAgent(api);
  const ids: string[] = [];
  for (let index = 0; index < 7; index += 1) ids.unshift(await routeTask(lister));
  const seen: string[] = [];
  for (let cursor: string | null = ''; cursor !== null; ) {
    const next: string = cursor === '' ? '' : `&cursor=${cursor}`;
    const { body } = await lister.get(`/tasks?target=finance&limit=3${next}`);
    seen.push(...body.tasks.map(({ task_id }: { task_id: string }) => task_id));
    cursor = body.next_cursor;
  }
  expect(seen).toEqual(ids);
});

test.each(['limit=many', 'status=lost', `target=${'x'.repeat(51)}`, 'cursor=abc'])(
  '?%s is refused by name',
  async (query) => {
    const { status, body } = await agent.get(`/tasks?${query}`);
    expect({ status, path: body.errors[0].path }).toEqual({ status: 400, path: query.split('=')[0] });
  },
);

test('a task can be found by the trace of the request that routed it', async () => {
  const key = newKey();
  const trace = `trace ${randomUUID()}`;
  const body = { target: 'finance', task: { task_type: 'audit' } };
  const { body: routed } = await agent.post('/tasks/route', body, { ...key, 'x-trace-id': trace });
  const { events } = (await agent.get(`/audit?trace_id=${encodeURIComponent(trace)}`)).body;
  expect(events).toMatchObject([{ event_type: 'task.routed', metadata: { taskId: routed.task_id } }]);
});

async function colleagueOf(customerId: string) {
  const { apiKey } = await createApiKey(api.pool, { customerId, name: 'colleague', scopes: ['sessions'] });
  return { ...(await makeTenant(api.pool)), customerId, apiKey };
}
