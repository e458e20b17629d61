import { randomBytes } from 'node:crypto';
import { sql } from 'slonik';
import { describe, expect, inject, test } from 'vitest';
import { z } from 'zod';
import type { Connection } from '../../../src/store/database.ts';
import { listTasks } from '../../../src/store/tasks.ts';
import { freshDatabase } from '../../fixtures/database.ts';
import { freshNamespace } from '../../fixtures/kubernetes.ts';
import { openDatabase } from '../store/builders.ts';
import { type Agent, makeAgent, newKey, routeTask } from './agent.ts';
import { startApi } from './api-under-test.ts';

const { url: databaseUrl } = await freshDatabase();
const api = await startApi({
  kubeconfigPath: inject('kubeconfigPath'),
  databaseUrl,
  namespace: await freshNamespace(),
  auditReads: false,
});

const LARGE = 'x'.repeat(900_000);
const ROWS = 16;

describe('a page of large rows ends early, and cursors lead through all of them:', () => {
  test.each<{ name: string; list: string; path: string; add: (agent: Agent) => Promise<unknown> }>([
    {
      name: 'tasks',
      list: 'tasks',
      path: '/tasks',
      add: (agent) => routeTask(agent, { task: { task_type: 'audit', data: { LARGE } } }),
    },
    {
      name: 'approvals',
      list: 'approvals',
      path: '/approvals',
      add: (agent) => agent.post('/approvals', { task_id: 'x', comments: LARGE }),
    },
    {
      name: 'the audit',
      list: 'events',
      path: '/audit?event_type=a.b',
      add: (agent) =>
        agent.post('/audit/ingest', { source: 's', category: 'a', action: 'b', metadata: { LARGE } }),
    },
  ])('$name', async ({ list, path, add }) => {
    const agent = await makeAgent(api);
    for (let count = 0; count < ROWS; count += 1) await add(agent);
    const pages = await readPages(agent, list, `${path}${path.includes('?') ? '&' : '?'}limit=100`);
    expect(Math.max(...pages.map(({ bytes }) => bytes))).toBeLessThan(6 * 1024 * 1024);
    const ids = pages.flatMap((page) => page.ids);
    expect(ids).toHaveLength(ROWS);
    expect(new Set(ids).size).toBe(ROWS);
  });
});

test('numbers that Postgres writes out count as they are written', async () => {
  const agent = await makeAgent(api);
  const numbers = (count: number) => `[${Array(count).fill('1e300').join(',')}]`;
  const task = (count: number) => `{"target":"a","task":{"task_type":"b","data":{"n":${numbers(count)}}}}`;
  expect(await agent.post('/tasks/route', task(3_000), newKey())).toMatchObject({ status: 202 });
  expect(await agent.post('/tasks/route', task(4_000), newKey())).toMatchObject({
    status: 400,
    body: { errors: [{ path: expect.stringMatching(/^task\.data\.n\[/) }] },
  });
});

test('of what is on the next pages Postgres reads nothing large', async () => {
  const agent = await makeAgent(api);
  for (let count = 0; count < ROWS; count += 1) {
    const incompressible = randomBytes(400_000).toString('hex');
    await routeTask(agent, { task: { task_type: 'audit', data: { incompressible } } });
  }
  const database = await openDatabase(databaseUrl, 1);
  await using _ = { [Symbol.asyncDispose]: () => database.close() };
  const before = await countLargeBlocks(database.pool);
  const { rows } = await listTasks(database.pool, agent.tenant.customerId, {}, { limit: 100 });
  const after = await countLargeBlocks(database.pool);
  expect(rows.length).toBeLessThan(ROWS / 2);
  expect(after.read - before.read).toBeLessThan(after.stored / 2);
});

/** Blocks of what is large in tasks: how many there are, and how often one was read. */
async function countLargeBlocks(connection: Connection) {
  await connection.query(sql.type(z.object({}))`SELECT pg_stat_force_next_flush()::text`);
  const blocks = z.object({ stored: z.number(), read: z.number() });
  return connection.one(sql.type(blocks)`
    SELECT pg_relation_size(c.reltoastrelid) / 8192 AS stored, s.toast_blks_hit + s.toast_blks_read AS read
    FROM pg_class c JOIN pg_statio_user_tables s ON s.relid = c.oid
    WHERE c.oid = 'tasks'::regclass
  `);
}

async function readPages(agent: Agent, list: string, path: string) {
  const pages: { readonly bytes: number; readonly ids: readonly string[] }[] = [];
  let cursor = '';
  for (;;) {
    const { status, body } = await agent.get(`${path}${cursor}`);
    expect(status).toBe(200);
    const rows: readonly {
      readonly id?: string;
      readonly task_id?: string;
      readonly approval_id?: string;
    }[] = body[list];
    pages.push({
      bytes: JSON.stringify(body).length,
      ids: rows.map(({ id, approval_id, task_id }) => String(id ?? approval_id ?? task_id)),
    });
    if (body.next_cursor === null) return pages;
    cursor = `&cursor=${body.next_cursor}`;
  }
}
