import { randomUUID } from 'node:crypto';
import type { Client } from 'pg';
import { createApproval, decideApproval, findApproval, listApprovals } from '../../../src/store/approvals.ts';
import { appendAuditEvent, listAuditEvents } from '../../../src/store/audit-events.ts';
import type { Connection } from '../../../src/store/database.ts';
import { findProfile, listProfiles, putProfile } from '../../../src/store/profiles.ts';
import { expireSessions, lockSession, updateSession } from '../../../src/store/session-moves.ts';
import { listSessionExecutions, listSessionTransitions } from '../../../src/store/session-timeline.ts';
import {
  countOpenSessions,
  countSessions,
  createSession,
  findSession,
  listSessions,
} from '../../../src/store/sessions.ts';
import { measureStoredBytes } from '../../../src/store/stored-bytes.ts';
import { createTask, findTask, listTasks } from '../../../src/store/tasks.ts';

const page = { limit: 10 };

/** Calls every function of the store that agents' routes call, with every combination of filters. */
export async function callAgentStatements(pool: Connection, customerId: string): Promise<void> {
  await callSessions(pool, customerId);
  await callTasks(pool, customerId);
  await callApprovals(pool, customerId);
  await appendAuditEvent(pool, { customerId, eventType: 'session.created', metadata: {} });
  for (const trace of [{}, { traceId: 'trace 1' }]) {
    for (const type of [{}, { eventType: 'session.created' }]) {
      await listAuditEvents(pool, customerId, { ...trace, ...type }, page);
    }
  }
  await putProfile(pool, { role: 'legal', capabilities: [], metadata: {} });
  await findProfile(pool, 'legal');
  await listProfiles(pool);
}

async function callSessions(pool: Connection, customerId: string): Promise<void> {
  const id = await createSession(pool, { customerId, role: 'support', metadata: {} });
  const session = await lockSession(pool, customerId, id);
  if (session === null) throw new Error('no session');
  await updateSession(pool, customerId, session, { status: 'active', taskId: null, metadata: {} });
  await findSession(pool, customerId, id);
  for (const role of [{}, { role: 'support' }]) {
    for (const status of [{}, { status: 'active' as const }]) {
      await listSessions(pool, customerId, { ...role, ...status }, { ...page, offset: 1 });
      await countSessions(pool, customerId, { ...role, ...status });
    }
  }
  await listSessionTransitions(pool, customerId, id);
  await listSessionExecutions(pool, customerId, id, page);
  await expireSessions(pool, { retentionDays: 7, limit: 10 });
  await countOpenSessions(pool);
  await measureStoredBytes(pool);
}

async function callTasks(pool: Connection, customerId: string): Promise<void> {
  const task = {
    customerId,
    taskType: 'audit',
    target: 'finance',
    data: {},
    traceId: 'trace 1',
    idempotencyKey: randomUUID(),
  };
  const { task: routed } = await createTask(pool, task);
  await createTask(pool, task);
  await findTask(pool, customerId, routed.id);
  for (const target of [{}, { target: 'finance' }]) {
    for (const status of [{}, { status: 'accepted' as const }]) {
      await listTasks(pool, customerId, { ...target, ...status }, page);
    }
  }
}

async function callApprovals(pool: Connection, customerId: string): Promise<void> {
  const { id } = await createApproval(pool, { customerId, taskId: 'any text', status: 'pending' });
  await decideApproval(pool, customerId, id, { decision: 'approved' });
  await findApproval(pool, customerId, id);
  for (const status of [{}, { status: 'pending' as const }]) {
    for (const task of [{}, { task: 'any text' }]) {
      await listApprovals(pool, customerId, { ...status, ...task }, page);
    }
  }
}

/** 100,000 rows of each kind, over 1,000 customers. */
export async function fillAgentTables(client: Client): Promise<void> {
  await client.query(`
    INSERT INTO sessions (customer_id, role, status, task_id, created_at)
    SELECT md5('customer' || n % 1000)::uuid, 'role' || n % 7,
      CASE WHEN n < 2000 THEN (ARRAY['pending', 'active'])[1 + n % 2] ELSE 'completed' END, md5('task' || n)::uuid,
      now() - n * interval '1 minute'
    FROM generate_series(0, 99999) n;
    INSERT INTO tasks (id, customer_id, task_type, to_role, status, trace_id, idempotency_key, created_at)
    SELECT md5('task' || n)::uuid, md5('customer' || n % 1000)::uuid, 'audit', 'role' || n % 7,
      (ARRAY['accepted', 'active', 'completed'])[1 + n % 3], 'trace ' || n, md5('key' || n)::uuid,
      now() - n * interval '1 minute'
    FROM generate_series(0, 99999) n;
    INSERT INTO approvals (customer_id, task_id, status, decision_at, created_at)
    SELECT md5('customer' || n % 1000)::uuid, md5('task' || n),
      CASE WHEN n % 3 = 0 THEN 'pending' ELSE 'approved' END, CASE WHEN n % 3 > 0 THEN now() END,
      now() - n * interval '1 minute'
    FROM generate_series(0, 99999) n;
    INSERT INTO audit_events (customer_id, event_type, trace_id, timestamp)
    SELECT md5('customer' || n % 1000)::uuid, 'session.' || n % 7, 'trace ' || n, now() - n * interval '1 minute'
    FROM generate_series(0, 99999) n;
  `);
}
