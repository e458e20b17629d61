import { Client } from 'pg';
import { afterAll, beforeEach, expect, test } from 'vitest';
import { createSessionExpiry } from '../../../src/controller/session-expiry.ts';
import { SESSION_STATES } from '../../../src/domain/session.ts';
import { expireSessions } from '../../../src/store/session-moves.ts';
import { freshDatabase } from '../../fixtures/database.ts';
import { makeCustomer, openDatabase } from '../store/builders.ts';

const { url } = await freshDatabase();
const database = await openDatabase(url);
const client = new Client({ connectionString: url });
await client.connect();
afterAll(() => Promise.all([database.close(), client.end()]));

const { customerId } = await makeCustomer(database.pool);
const counted: { from: string | null; to: string }[] = [];
const job = createSessionExpiry({
  pool: database.pool,
  metrics: { product: { recordTransitions: (transitions) => void counted.push(...transitions) } },
  retentionDays: 7,
});
const never = new AbortController().signal;

beforeEach(async () => {
  await client.query('TRUNCATE sessions, audit_events CASCADE');
  counted.length = 0;
});

async function insertSessions(state: string, age: string, count = 1): Promise<void> {
  await client.query(
    `INSERT INTO sessions (customer_id, role, status, created_at, updated_at)
     SELECT $1, 'support', $2, now() - $3::interval, now() FROM generate_series(1, $4)`,
    [customerId, state, age, count],
  );
}

async function rowsOf(query: string): Promise<unknown[]> {
  return (await client.query({ text: query, rowMode: 'array' })).rows;
}

test('sessions that have stayed open for longer than they are kept expire, counted from their creation', async () => {
  for (const state of SESSION_STATES) {
    await insertSessions(state, '7 days 1 minute');
    await insertSessions(state, '6 days 23 hours 59 minutes');
  }
  await job.run(never);
  expect(
    await rowsOf(`
      SELECT created_at < now() - interval '7 days', status, count(*)::int FROM sessions
      GROUP BY 1, 2 ORDER BY 1, 2
    `),
  ).toEqual([
    ...SESSION_STATES.toSorted().map((state) => [false, state, 1]),
    [true, 'completed', 1],
    [true, 'expired', 3],
    [true, 'failed', 1],
  ]);
});

test('each is recorded, counted and audited once', async () => {
  await insertSessions('pending', '8 days');
  await insertSessions('active', '9 days');
  await Promise.all([job.run(never), job.run(never)]);
  await job.run(never);
  expect(await rowsOf('SELECT from_state, to_state FROM session_transitions ORDER BY from_state')).toEqual([
    ['active', 'expired'],
    ['pending', 'expired'],
  ]);
  expect(counted.toSorted((a, b) => String(a.from).localeCompare(String(b.from)))).toEqual([
    { from: 'active', to: 'expired' },
    { from: 'pending', to: 'expired' },
  ]);
  expect(
    await rowsOf(`
      SELECT e.event_type, e.role, e.metadata->>'from'
      FROM audit_events e JOIN sessions s ON s.id::text = e.metadata->>'sessionId' ORDER BY 3
    `),
  ).toEqual([
    ['session.expired', 'support', 'active'],
    ['session.expired', 'support', 'pending'],
  ]);
});

test('a backlog is worked off in batches, until the controller has to stop', async () => {
  await insertSessions('active', '8 days', 1_100);
  const stopping = new AbortController();
  stopping.abort();
  await job.run(stopping.signal);
  expect(counted).toHaveLength(500);
  await job.run(never);
  expect(counted).toHaveLength(1_100);
});

test('the oldest go first, and one that somebody holds waits for nobody', async () => {
  await insertSessions('active', '8 days');
  await insertSessions('active', '10 days');
  await insertSessions('active', '9 days');
  await client.query('BEGIN');
  await client.query(`SELECT FROM sessions WHERE created_at < now() - interval '9 days 12 hours' FOR UPDATE`);
  await expireSessions(database.pool, { retentionDays: 7, limit: 1 });
  await client.query('COMMIT');
  expect(
    await rowsOf(
      `SELECT extract(day FROM now() - created_at)::int, status FROM sessions ORDER BY created_at`,
    ),
  ).toEqual([
    [10, 'active'],
    [9, 'expired'],
    [8, 'active'],
  ]);
});
