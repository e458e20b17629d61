import { Client } from 'pg';
import { afterAll, expect, inject, test } from 'vitest';
import { freshDatabase } from '../../fixtures/database.ts';
import { freshNamespace } from '../../fixtures/kubernetes.ts';
import { makeAgent } from './agent.ts';
import { startApi } from './api-under-test.ts';

const { url: databaseUrl } = await freshDatabase();
const api = await startApi({
  kubeconfigPath: inject('kubeconfigPath'),
  databaseUrl,
  namespace: await freshNamespace(),
});
const server = new Client({ connectionString: databaseUrl });
await server.connect();
afterAll(() => server.end());

const HEAVY = 12;

test('lists of one customer that do not end hold up none of another', async () => {
  const [heavy, other] = [await makeAgent(api), await makeAgent(api)];
  // Whoever reads tasks waits for this lock: a list that takes as long as the test says.
  await server.query('BEGIN');
  await server.query('LOCK TABLE tasks IN ACCESS EXCLUSIVE MODE');
  const ended: string[] = [];
  const lists = Array.from({ length: HEAVY }, async () => {
    const { status } = await heavy.get('/tasks?limit=100');
    ended.push('heavy');
    return status;
  });
  await expect.poll(countWaiting).toBeGreaterThan(0);
  const { status } = await other.get('/sessions');
  ended.push('other');
  const underWay = await countWaiting();
  await server.query('COMMIT');
  expect(status).toBe(200);
  expect(underWay).toBeGreaterThan(0);
  expect(await Promise.all(lists)).toEqual(Array(HEAVY).fill(200));
  expect(ended[0]).toBe('other');
});

test('a list that nobody waits for any more gives its connection back', async () => {
  const agent = await makeAgent(api);
  await server.query('BEGIN');
  await server.query('LOCK TABLE tasks IN ACCESS EXCLUSIVE MODE');
  expect(await agent.get('/tasks')).toMatchObject({ status: 503, body: { code: 'DATABASE_UNAVAILABLE' } });
  await expect.poll(countWaiting).toBe(0);
  await server.query('COMMIT');
});

async function countWaiting(): Promise<number> {
  const { rows } = await server.query<{ count: number }>(
    "SELECT count(*)::int FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'",
  );
  return rows[0]?.count ?? 0;
}
