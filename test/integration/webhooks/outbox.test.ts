import { randomBytes } from 'node:crypto';
import { Client } from 'pg';
import { sql } from 'slonik';
import { afterAll, expect, test } from 'vitest';
import { z } from 'zod';
import { WEBHOOK_EVENT_TYPES, type WebhookEventType } from '../../../src/domain/webhook-event.ts';
import { archiveRun } from '../../../src/store/archive.ts';
import { expireSessions, updateSession } from '../../../src/store/session-moves.ts';
import { createSession } from '../../../src/store/sessions.ts';
import { createWebhookSubscription, SUBSCRIPTION_LIMIT } from '../../../src/store/webhook-subscriptions.ts';
import { freshDatabase } from '../../fixtures/database.ts';
import { makeCustomer, makeRun, openDatabase } from '../store/builders.ts';

const { url } = await freshDatabase();
const database = await openDatabase(url);
const { pool } = database;
afterAll(() => database.close());

test('a run and its session are told of once, however often the run is reconciled', async () => {
  const customerId = await subscriber();
  const run = makeRun({
    customerId,
    phase: 'mitigation',
    data: { fixed: true, preTestPassed: false, postTestPassed: true, secret: 'payload' },
    commitSha: 'abc',
  });
  const archived = await archiveRun(pool, run);
  await archiveRun(pool, run);
  const sessionId = 'session' in archived ? archived.session?.id : undefined;
  const events = await eventsOf(customerId);
  expect(events).toEqual([
    {
      specversion: '1.0',
      id: `run_${run.runId}_completed`,
      source: `/customers/${customerId}`,
      type: 'dev.rsolv.phase.completed',
      subject: 'github/acme/nodegoat#1204',
      time: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z$/),
      datacontenttype: 'application/json',
      data: {
        runId: run.runId,
        phase: 'mitigation',
        status: 'completed',
        forge: 'github',
        repository: 'acme/nodegoat',
        issueNumber: 1204,
        commitSha: 'abc',
        redGreen: 'proven',
        trustScore: 100,
        sessionId,
        sessionState: 'completed',
      },
    },
    expect.objectContaining({
      id: `session_${sessionId}_completed`,
      type: 'dev.rsolv.session.completed',
      subject: `session/${sessionId}`,
      data: {
        sessionId,
        state: 'completed',
        from: 'active',
        agentRole: 'phaserun',
        outcome: 'fixed',
        forge: 'github',
        repository: 'acme/nodegoat',
        subject: 'issue/1204',
      },
    }),
  ]);
});

test('a run that moves forward is told of when it is finished, and one that repeats another never', async () => {
  const customerId = await subscriber();
  const running = makeRun({ customerId, order: 1024, status: 'running', data: {} });
  await archiveRun(pool, running);
  expect(await idsOf(customerId)).toEqual([]);
  const failed = makeRun({ ...running, order: 2048, status: 'failed', data: {} });
  await archiveRun(pool, failed);
  await archiveRun(pool, makeRun({ customerId, order: 3072, status: 'failed', data: {} }));
  const ids = await idsOf(customerId);
  expect(ids).toHaveLength(2);
  expect(ids).toContain(`run_${running.runId}_failed`);
});

test('agents and time tell of the sessions they end', async () => {
  const customerId = await subscriber();
  const open = () => createSession(pool, { customerId, role: 'finance', metadata: { note: 'private' } });
  const [driven, left] = [await open(), await open()];
  const update = { taskId: null, metadata: {} };
  const move = (from: 'pending' | 'active', to: 'active' | 'completed') =>
    updateSession(pool, customerId, { id: driven, status: from }, { ...update, status: to });
  await move('pending', 'active');
  await move('active', 'active');
  expect(await idsOf(customerId)).toEqual([]);
  await move('active', 'completed');
  await pool.query(sql.unsafe`UPDATE sessions SET created_at = now() - interval '8 days' WHERE id = ${left}`);
  await expireSessions(pool, { retentionDays: 7, limit: 10 });
  await expireSessions(pool, { retentionDays: 7, limit: 10 });
  const events = await eventsOf(customerId);
  expect(events).toMatchObject([
    {
      id: `session_${driven}_completed`,
      data: { sessionId: driven, state: 'completed', from: 'active', agentRole: 'finance' },
    },
    {
      id: `session_${left}_expired`,
      type: 'dev.rsolv.session.expired',
      data: { sessionId: left, state: 'expired', from: 'pending' },
    },
  ]);
  expect(JSON.stringify(events)).not.toContain('private');
});

test('each subscription is told of what it asked for, and of nothing of another customer', async () => {
  const customerId = await subscriber(['phase.failed']);
  const sessions = await subscribe(customerId, ['session.completed', 'session.failed']);
  const other = await subscriber();
  await archiveRun(pool, makeRun({ customerId, order: 1024, issueNumber: 1 }));
  await archiveRun(pool, makeRun({ customerId, order: 2048, issueNumber: 2, status: 'failed' }));
  expect(await typesOf(customerId)).toEqual(['phase.failed', 'session.failed']);
  expect(await idsOf(other)).toEqual([]);
  await pool.query(sql.unsafe`
    UPDATE webhook_subscriptions SET disabled_at = now(), disabled_reason = 'gone' WHERE id = ${sessions}
  `);
  await archiveRun(pool, makeRun({ customerId, order: 3072, issueNumber: 3, status: 'failed' }));
  expect(await typesOf(customerId)).toEqual(['phase.failed', 'phase.failed', 'session.failed']);
});

test('what is rolled back is not told of', async () => {
  const customerId = await subscriber();
  const rolledBack = pool.transaction(async (transaction) => {
    await archiveRun(transaction, makeRun({ customerId }));
    throw new Error('no');
  });
  await expect(rolledBack).rejects.toThrow('no');
  expect(await idsOf(customerId)).toEqual([]);
});

test('a subscription that is deleted at the same moment does not fail the run', async () => {
  const customerId = await subscriber();
  const doomed = await subscribe(customerId, ['phase.completed']);
  const run = makeRun({ customerId });
  const remover = new Client({ connectionString: url });
  await remover.connect();
  await remover.query('BEGIN');
  await remover.query('DELETE FROM webhook_subscriptions WHERE id = $1', [doomed]);
  const archiving = archiveRun(pool, run);
  await untilBlocked();
  await remover.query('COMMIT');
  await remover.end();
  expect(await archiving).toMatchObject({ disposition: 'inserted' });
  expect(await typesOf(customerId)).toEqual(['phase.completed']);
});

test(`a customer has at most ${SUBSCRIPTION_LIMIT} subscriptions`, async () => {
  const { customerId } = await makeCustomer(pool);
  for (let made = 0; made < SUBSCRIPTION_LIMIT; made += 1) await subscribe(customerId);
  await expect(subscribe(customerId)).rejects.toThrow('limit');
});

async function subscriber(eventTypes?: readonly WebhookEventType[]): Promise<string> {
  const { customerId } = await makeCustomer(pool);
  await subscribe(customerId, eventTypes);
  return customerId;
}

async function subscribe(
  customerId: string,
  eventTypes = [...WEBHOOK_EVENT_TYPES] as readonly WebhookEventType[],
) {
  const url = 'https://receiver.example/';
  const made = await createWebhookSubscription(pool, {
    customerId,
    url,
    eventTypes,
    secret: randomBytes(32),
  });
  if (made === null) throw new Error('limit');
  return made.id;
}

async function eventsOf(customerId: string) {
  const row = z.object({ event: z.looseObject({ id: z.string(), type: z.string() }) });
  const rows = await pool.any(sql.type(row)`
    SELECT event FROM webhook_deliveries WHERE customer_id = ${customerId} ORDER BY event_type, event_id
  `);
  return rows.map(({ event }) => event);
}

async function idsOf(customerId: string) {
  return (await eventsOf(customerId)).map(({ id }) => id);
}

async function typesOf(customerId: string) {
  return (await eventsOf(customerId)).map(({ type }) => type.replace('dev.rsolv.', ''));
}

/** Until some statement waits for a row that another transaction holds. */
async function untilBlocked(): Promise<void> {
  const blocked = z.object({ count: z.number() });
  for (;;) {
    const { count } = await pool.one(sql.type(blocked)`
      SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'
    `);
    if (count > 0) return;
  }
}
