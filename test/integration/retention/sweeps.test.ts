import { randomUUID } from 'node:crypto';
import { Client } from 'pg';
import { afterAll, beforeEach, describe, expect, test } from 'vitest';
import { RETENTION_ROUND, sweepAllOld } from '../../../src/controller/retention-round.ts';
import { sweepRunTombstones, sweepSlotTombstones } from '../../../src/controller/tombstone-sweep.ts';
import { SESSION_STATES } from '../../../src/domain/session.ts';
import { archiveRun } from '../../../src/store/archive.ts';
import { sealAuditEvents } from '../../../src/store/audit-chain.ts';
import { verifyAuditChain } from '../../../src/store/audit-verification.ts';
import { addLegalHold, type HoldSubject } from '../../../src/store/legal-holds.ts';
import { measureSweep, SWEPT_KINDS, type SweptKind } from '../../../src/store/retention-sweeps.ts';
import { freshDatabase } from '../../fixtures/database.ts';
import { makeCustomer, makeRun, openDatabase, repository } from '../store/builders.ts';
import { countRows } from '../store/rows.ts';

const { url } = await freshDatabase();
const database = await openDatabase(url);
const { pool } = database;
const client = new Client({ connectionString: url });
await client.connect();
afterAll(() => Promise.all([database.close(), client.end()]));

const TABLES: Readonly<Record<SweptKind, string>> = {
  sessions: 'sessions',
  tasks: 'tasks',
  approvals: 'approvals',
  quarantined: 'quarantined_runs',
};
const round = { ...RETENTION_ROUND, signal: new AbortController().signal, days: 30 };
const sweep = (kind: SweptKind, options = {}) => sweepAllOld(pool, kind, { ...round, ...options });

let customerId: string;
let namespace: string;
beforeEach(async () => {
  await client.query('TRUNCATE customers CASCADE');
  ({ customerId, namespace } = await makeCustomer(pool));
});

/** Rows that nothing but their age speaks for. */
async function insert(kind: SweptKind, days: number, { owner = customerId, count = 1 } = {}): Promise<void> {
  const at = `now() - make_interval(days => ${days})`;
  const slot = `'github/' || '${namespace}/a#1'`;
  const inserts: Readonly<Record<SweptKind, string>> = {
    sessions: `INSERT INTO sessions (customer_id, role, status, updated_at) SELECT $1, 'r', 'completed', ${at}`,
    tasks: `INSERT INTO tasks (customer_id, task_type, to_role, created_at) SELECT $1, 't', 'r', ${at}`,
    approvals: `INSERT INTO approvals (customer_id, task_id, created_at) SELECT $1, 't', ${at}`,
    quarantined: `INSERT INTO quarantined_runs (
        run_id, customer_id, phase, slot, phase_run_namespace, phase_run_name, sqlstate, message, sha256, content, created_at
      ) SELECT gen_random_uuid(), $1, 'scan', ${slot}, 'n', 'n', '22000', 'm', sha256(''), '', ${at}`,
  };
  await client.query(`${inserts[kind]} FROM generate_series(1, ${count})`, [owner]);
}

async function hold(subject: Omit<HoldSubject, 'customerId'> = {}): Promise<void> {
  await pool.transaction((transaction) => addLegalHold(transaction, { customerId, ...subject }, 'a lawsuit'));
}

describe.each(SWEPT_KINDS)('%s', (kind) => {
  const left = (owner = customerId) => countRows(pool, TABLES[kind], owner);

  test('that are too old go, in batches, as many as were foretold, and the audit of their customer says so', async () => {
    const other = (await makeCustomer(pool)).customerId;
    await insert(kind, 31, { count: 5 });
    await insert(kind, 29);
    await insert(kind, 31, { owner: other });
    const foretold = await measureSweep(pool, kind, 30);
    expect(new Map(foretold.map((each) => [each.customerId, each.rows]))).toEqual(
      new Map([
        [customerId, 5],
        [other, 1],
      ]),
    );
    expect(await sweep(kind, { batchSize: 2, maxBatches: 1 })).toBe(2);
    expect(await sweep(kind, { batchSize: 2 })).toBe(4);
    expect([await left(), await left(other)]).toEqual([1, 0]);
    const { rows } = await client.query(
      `SELECT metadata->>'kind' AS kind, sum((metadata->>'rows')::int)::int AS rows FROM audit_events
       WHERE event_type = 'retention.purged' AND customer_id = $1 GROUP BY 1`,
      [customerId],
    );
    expect(rows).toEqual([{ kind, rows: 5 }]);
    while ((await sealAuditEvents(pool, customerId, 500)) > 0);
    expect(await verifyAuditChain(pool, customerId)).not.toHaveProperty('broken');
  });

  test('stay where they are kept for ever, and under a hold on their customer', async () => {
    await insert(kind, 30_000);
    expect(await sweep(kind, { days: 0 })).toBe(0);
    await hold();
    expect(await sweep(kind)).toBe(0);
    expect(await left()).toBe(1);
  });

  test('stay when the leader has to stop', async () => {
    await insert(kind, 31);
    const stopped = new AbortController();
    stopped.abort();
    expect(await sweep(kind, { signal: stopped.signal })).toBe(0);
  });
});

describe('a session', () => {
  test('stays while it is open, and while it has an execution; its steps go with it', async () => {
    for (const status of SESSION_STATES) {
      await client.query(
        `INSERT INTO sessions (customer_id, role, status, updated_at) VALUES ($1, $2, $2, now() - interval '31 days')`,
        [customerId, status],
      );
    }
    await archiveRun(pool, makeRun({ customerId, phase: 'scan' }));
    await client.query(`UPDATE sessions SET updated_at = now() - interval '31 days' WHERE role = 'phaserun'`);
    expect(await sweep('sessions')).toBe(3);
    const { rows } = await client.query('SELECT role FROM sessions ORDER BY role');
    expect(rows).toEqual([{ role: 'active' }, { role: 'pending' }, { role: 'phaserun' }]);
    await client.query('DELETE FROM scan_executions');
    expect(await sweep('sessions')).toBe(1);
    expect(await countRows(pool, 'session_transitions', customerId)).toBe(0);
  });

  test.each([
    { on: 'its repository', of: { repository: 'a' }, want: 0 },
    { on: 'its issue', of: { repository: 'a', issueNumber: 1204 }, want: 0 },
    { on: 'another issue', of: { repository: 'a', issueNumber: 1 }, want: 1 },
    { on: 'another repository', of: { repository: 'b' }, want: 1 },
  ])('under a hold on $on: $want go', async ({ of: { repository: name, ...issue }, want }) => {
    const run = makeRun({ customerId, repository: repository('a', namespace), data: { validated: false } });
    await archiveRun(pool, run);
    await client.query('DELETE FROM validation_executions');
    await client.query(`UPDATE sessions SET status = 'expired', updated_at = now() - interval '31 days'`);
    await hold({ repository: repository(name, namespace), ...issue });
    expect(await sweep('sessions')).toBe(want);
  });
});

test('a task stays while a session is at work on it', async () => {
  await insert('tasks', 31);
  await client.query(
    `INSERT INTO sessions (customer_id, role, status, task_id) SELECT customer_id, 'r', 'active', id FROM tasks`,
  );
  expect(await sweep('tasks')).toBe(0);
  await client.query(`UPDATE sessions SET status = 'expired'`);
  expect(await sweep('tasks')).toBe(1);
});

test('an approval stays until its decision is too old, too', async () => {
  await insert('approvals', 31);
  await client.query(
    `UPDATE approvals SET status = 'approved', decision_at = now() - interval '29 days' WHERE true`,
  );
  expect(await sweep('approvals')).toBe(0);
  await client.query(`UPDATE approvals SET decision_at = now() - interval '30 days 1 hour'`);
  expect(await sweep('approvals')).toBe(1);
});

test.each([
  { name: 'a', want: 0 },
  { name: 'ab', want: 1 },
])('a quarantined run under a hold on repository $name: $want go', async ({ name, want }) => {
  await insert('quarantined', 31);
  await hold({ repository: repository(name, namespace), issueNumber: 99 });
  expect(await sweep('quarantined')).toBe(want);
});

describe('a tombstone', () => {
  const none = { runIds: new Set<string>(), slots: new Set<string>() };

  async function bury(days: number): Promise<string> {
    const id = randomUUID();
    await client.query(
      `INSERT INTO run_tombstones (run_id, customer_id, reason, sha256, created_at)
       VALUES ($1, $2, 'purged', sha256(''), now() - make_interval(days => $3))`,
      [id, customerId, days],
    );
    return id;
  }

  test('goes when it is old, unless its run has a PhaseRun still', async () => {
    const [live, , young] = [await bury(400), await bury(300), await bury(20)];
    for (let count = 0; count < 5; count += 1) await bury(31 + count);
    const options = { ...round, batchSize: 2, live: { ...none, runIds: new Set([live]) } };
    expect(await sweepRunTombstones(pool, 'buried', { ...options, maxBatches: 1 })).toBe(1);
    expect(await sweepRunTombstones(pool, 'buried', options)).toBe(5);
    const { rows } = await client.query('SELECT run_id FROM run_tombstones ORDER BY created_at');
    expect(rows.map(({ run_id: id }) => id)).toEqual([live, young]);
    expect(await sweepRunTombstones(pool, 'buried', { ...options, live: none })).toBe(1);
  });

  test('of a slot goes when it is old, unless something in it lives', async () => {
    for (const [slot, days] of [
      ['live', 40],
      ['old', 50],
      ['older', 60],
      ['young', 10],
    ] as const) {
      await client.query(
        `INSERT INTO slot_tombstones VALUES ($1, $2, 1, now() - make_interval(days => $3))`,
        [customerId, slot, days],
      );
    }
    const live = { ...none, slots: new Set(['live']) };
    expect(await sweepSlotTombstones(pool, { ...round, batchSize: 1, live })).toBe(2);
    const { rows } = await client.query('SELECT slot FROM slot_tombstones ORDER BY slot');
    expect(rows.map(({ slot }) => slot)).toEqual(['live', 'young']);
  });

  test('is what a repetition of a row is that was deleted; one whose row is there stays', async () => {
    const run = makeRun({ customerId });
    await archiveRun(pool, run);
    for (const execution of [run.runId, randomUUID()]) {
      await client.query(
        `INSERT INTO duplicate_runs VALUES ($1, $2, 'validation', $3, 'completed', sha256(''), now() - interval '31 days')`,
        [randomUUID(), customerId, execution],
      );
    }
    expect(await sweepRunTombstones(pool, 'repeated', { ...round, live: none })).toBe(1);
    const { rows } = await client.query('SELECT execution_id FROM duplicate_runs');
    expect(rows).toEqual([{ execution_id: run.runId }]);
  });
});
