import { randomUUID } from 'node:crypto';
import { Client } from 'pg';
import { afterAll, beforeEach, describe, expect, test, vi } from 'vitest';
import { createRetentionJobs } from '../../../src/controller/retention-jobs.ts';
import { measureOldExecutions, purgeOldExecutions } from '../../../src/controller/retention-round.ts';
import { PHASES, type Phase } from '../../../src/domain/phase.ts';
import type { ArchivableRun } from '../../../src/domain/run.ts';
import { archiveRun } from '../../../src/store/archive.ts';
import { sealAuditEvents } from '../../../src/store/audit-chain.ts';
import { verifyAuditChain } from '../../../src/store/audit-verification.ts';
import { addLegalHold, type HoldSubject, removeLegalHold } from '../../../src/store/legal-holds.ts';
import { findPayload } from '../../../src/store/payloads.ts';
import { verifyReceipts } from '../../../src/store/receipts.ts';
import { putRetentionPolicy } from '../../../src/store/retention-policies.ts';
import { retrievePhases } from '../../../src/store/retrieve.ts';
import { lockSlot } from '../../../src/store/slots.ts';
import { createMetrics } from '../../../src/telemetry/metrics.ts';
import { freshDatabase } from '../../fixtures/database.ts';
import { runLogger } from '../../fixtures/run-log/of-test.ts';
import { makeCustomer, makeRun, openDatabase, repository } from '../store/builders.ts';
import { countRows, listRows } from '../store/rows.ts';

const { url } = await freshDatabase();
const database = await openDatabase(url);
const { pool } = database;
const client = new Client({ connectionString: url });
await client.connect();
afterAll(() => Promise.all([database.close(), client.end()]));

const defaults = { executionDays: 365, payloadDays: 90 };
const never = new AbortController().signal;
const round = { defaults, signal: never, batchSize: 500, maxBatches: 200 };

let customerId: string;
let namespace: string;
beforeEach(async () => {
  await client.query('TRUNCATE customers CASCADE');
  ({ customerId, namespace } = await makeCustomer(pool));
});

type Options = Partial<Parameters<typeof makeRun>[0]>;

/** Archives a run, and makes its row (or what is known of it) so old. */
async function archived(days: number, options: Options = {}): Promise<ArchivableRun> {
  const run = makeRun({ customerId, repository: repository('nodegoat', namespace), ...options });
  await archiveRun(pool, run);
  await age(run, days);
  return run;
}

async function age({ runId, phase }: ArchivableRun, days: number): Promise<void> {
  const to = `now() - make_interval(days => ${days})`;
  await client.query(`UPDATE ${phase}_executions SET updated_at = ${to} WHERE id = $1`, [runId]);
  await client.query(`UPDATE duplicate_runs SET created_at = ${to} WHERE run_id = $1`, [runId]);
}

/** A pool of somebody else's. */
async function openOther() {
  const other = await openDatabase(url);
  return { pool: other.pool, [Symbol.asyncDispose]: () => other.close() };
}

async function idsLeft(phase: Phase = 'validation', owner = customerId): Promise<string[]> {
  return (await listRows(pool, phase, owner)).map(({ id }) => id);
}

const purge = (options: Partial<typeof round> = {}) =>
  purgeOldExecutions(pool, 'executions', { ...round, ...options });
const drop = () => purgeOldExecutions(pool, 'payloads', round);

describe('an execution that is too old', () => {
  test.each(PHASES)('goes, and a younger one stays: %s', async (phase) => {
    await archived(366, { phase, commitSha: 'a', issueNumber: 1 });
    const young = await archived(364, { phase, commitSha: 'b', issueNumber: 2 });
    expect(await purge()).toEqual([
      { customerId, phase, loss: 'executions', rows: 1, bytes: young.sizeBytes },
    ]);
    expect(await idsLeft(phase)).toEqual([young.runId]);
    expect(await purge()).toEqual([]);
  });

  test('is not brought back by its PhaseRun, whatever that says by then', async () => {
    const run = await archived(366);
    await purge();
    for (const again of [run, { ...run, branch: 'other' }, makeRun({ ...run, data: { validated: false } })])
      expect(await archiveRun(pool, again)).toMatchObject({ disposition: 'purged', executionId: run.runId });
    expect(await idsLeft()).toEqual([]);
    const receipt = { runId: run.runId, executionId: run.runId, sha256: run.sha256 };
    expect(await verifyReceipts(pool, [receipt])).toEqual(new Set([run.runId]));
  });

  test('stays while a younger run stands on it; with the last of them they go together, for good', async () => {
    const run = await archived(800);
    const repeated = await archived(100, { ...run, runId: randomUUID() });
    expect(await countRows(pool, 'duplicate_runs', customerId)).toBe(1);
    expect(await purge()).toEqual([]);
    await age(repeated, 366);
    expect(await purge()).toMatchObject([{ rows: 1 }]);
    expect(await countRows(pool, 'duplicate_runs', customerId)).toBe(0);
    for (const each of [run, repeated])
      expect(await archiveRun(pool, each)).toMatchObject({ disposition: 'purged' });
  });

  test('is left while its slot is worked on, and goes the next time', async () => {
    await using other = await openOther();
    for (const [phase, options] of [
      ['scan', { commitSha: 'c' }],
      ['scan', { issueNumber: 7 }],
      ['validation', { issueNumber: 8 }],
      ['mitigation', { issueNumber: 9 }],
    ] as const) {
      const { commitSha: _, ...rest } = makeRun({
        customerId,
        phase,
        repository: repository('nodegoat', namespace),
      });
      const run = makeRun({ ...rest, phase, ...options });
      await archiveRun(pool, run);
      await age(run, 400);
      const locked = Promise.withResolvers<void>();
      const purged = Promise.withResolvers<void>();
      const work = other.pool.transaction(async (transaction) => {
        await lockSlot(transaction, run);
        locked.resolve();
        await purged.promise;
      });
      await locked.promise;
      expect([run.slot, await purge()]).toEqual([run.slot, []]);
      purged.resolve();
      await work;
      expect([run.slot, await purge()]).toMatchObject([run.slot, [{ rows: 1 }]]);
    }
  });

  test('goes in batches, as many in a round as there may be, until the leader has to stop', async () => {
    for (let issueNumber = 1; issueNumber <= 7; issueNumber += 1) await archived(400, { issueNumber });
    expect(await purge({ batchSize: 2, maxBatches: 2 })).toMatchObject([{ rows: 4 }]);
    const stopped = new AbortController();
    stopped.abort();
    expect(await purge({ signal: stopped.signal })).toEqual([]);
    expect(await purge({ batchSize: 2 })).toMatchObject([{ rows: 3 }]);
  });

  test('of one customer does not hold up those of another', async () => {
    for (let issueNumber = 1; issueNumber <= 5; issueNumber += 1) await archived(900, { issueNumber });
    const other = await makeCustomer(pool);
    await archived(400, { customerId: other.customerId, repository: repository('b', other.namespace) });
    const removed = await purge({ batchSize: 1, maxBatches: 2 });
    expect(removed.map(({ customerId: whose }) => whose)).toEqual([customerId, other.customerId]);
  });
});

describe('a policy', () => {
  test('of a customer and phase comes before that of the customer, which comes before the setting', async () => {
    const other = await makeCustomer(pool);
    for (const phase of PHASES) {
      await archived(100, { phase });
      const theirs = { customerId: other.customerId, repository: repository('x', other.namespace) };
      await archived(100, { phase, ...theirs });
    }
    const none = { payloadDays: null };
    await putRetentionPolicy(pool, customerId, { phase: null, executionDays: 30, ...none });
    await putRetentionPolicy(pool, customerId, { phase: 'scan', executionDays: 200, ...none });
    await putRetentionPolicy(pool, customerId, { phase: 'mitigation', executionDays: 0, ...none });
    expect(await purge()).toMatchObject([{ customerId, phase: 'validation', rows: 1 }]);
    await putRetentionPolicy(pool, customerId, { phase: 'scan', executionDays: 60, ...none });
    expect(await purge()).toMatchObject([{ customerId, phase: 'scan', rows: 1 }]);
    expect(await idsLeft('mitigation')).toHaveLength(1);
    for (const phase of PHASES) expect(await idsLeft(phase, other.customerId)).toHaveLength(1);
  });

  test('of for ever, in the settings, keeps all', async () => {
    await archived(30_000);
    expect(await purge({ defaults: { executionDays: 0, payloadDays: 0 } })).toEqual([]);
    expect(await idsLeft()).toHaveLength(1);
  });
});

describe('the data of an execution', () => {
  test('goes before its row, which stays what it was otherwise', async () => {
    const data = { validated: true, vulnerabilities: [{}, {}] };
    const run = await archived(91, { data });
    const [before] = await listRows(pool, 'validation', customerId);
    expect(await drop()).toEqual([
      { customerId, phase: 'validation', loss: 'payloads', rows: 1, bytes: run.sizeBytes },
    ]);
    const [after] = await listRows(pool, 'validation', customerId);
    expect(after).toEqual({ ...before, data: {}, data_dropped_at: after?.['data_dropped_at'] });
    expect(after?.['data_dropped_at']).not.toBeNull();
    expect(await drop()).toEqual([]);
    expect(await archiveRun(pool, run)).toMatchObject({ disposition: 'unchanged', executionId: run.runId });
    expect(await findPayload(pool, { customerId, runId: run.runId, sha256: run.sha256 })).toBeUndefined();
  });

  test('is not had any more, and no older result takes its place', async () => {
    const subject = { repository: repository('nodegoat', namespace), issueNumber: 1204 };
    const caller = { kind: 'customer', customer: customerId, scopes: ['phases:read'], subject: 'x' } as const;
    const validation = async () => (await retrievePhases(pool, caller, subject)).validation;
    await archived(10, { order: 1_024, status: 'failed', data: { oldest: 'failed' } });
    await archived(20, { order: 2_048, data: { older: true } });
    const newest = await archived(100, { order: 3_072, data: { newest: true } });
    expect(await validation()).toBe('{"newest": true}');
    await drop();
    expect(await validation()).toBeNull();
    const again = makeRun({ ...newest, runId: randomUUID(), order: 4_096, data: { newest: true } });
    expect(await archiveRun(pool, again)).toMatchObject({ disposition: 'inserted' });
    expect(await validation()).toBe('{"newest": true}');
  });

  test('of a failed run that lost it lets the one before answer, which has some', async () => {
    const subject = { repository: repository('nodegoat', namespace), issueNumber: 1204 };
    const caller = { kind: 'customer', customer: customerId, scopes: ['phases:read'], subject: 'x' } as const;
    await archived(10, { order: 1_024, status: 'failed', data: { first: true } });
    await archived(100, { order: 2_048, status: 'failed', data: { second: true } });
    await drop();
    expect((await retrievePhases(pool, caller, subject)).validation).toBe('{"first": true}');
  });

  test('stays while the run may still move forward', async () => {
    await archived(100, { status: 'running' });
    expect(await drop()).toEqual([]);
  });
});

describe('a legal hold', () => {
  const issue = (name: string, issueNumber: number) => ({
    repository: repository(name, namespace),
    issueNumber,
  });
  const held = (subject: Omit<HoldSubject, 'customerId'>): HoldSubject => ({ customerId, ...subject });

  test.each<{ on: string; subject: () => Omit<HoldSubject, 'customerId'>; left: string[] }>([
    { on: 'a customer', subject: () => ({}), left: ['a1', 'a2', 'b1'] },
    { on: 'a repository', subject: () => ({ repository: repository('a', namespace) }), left: ['a1', 'a2'] },
    { on: 'an issue', subject: () => issue('a', 1), left: ['a1'] },
    { on: 'what is not known', subject: () => issue('z', 1), left: [] },
  ])('on $on keeps what is under it, data and all, until it is released', async ({ subject, left }) => {
    for (const [name, number] of [
      ['a', 1],
      ['a', 2],
      ['b', 1],
    ] as const)
      await archived(400, { ...issue(name, number), branch: `${name}${number}` });
    const hold = await pool.transaction((transaction) =>
      addLegalHold(transaction, held(subject()), 'a lawsuit'),
    );
    await purgeOldExecutions(pool, 'payloads', { ...round, defaults: { executionDays: 0, payloadDays: 90 } });
    const data = await client.query('SELECT branch FROM validation_executions WHERE data_dropped_at IS NULL');
    expect(data.rows.map(({ branch }) => String(branch)).toSorted()).toEqual(left);
    await purge();
    const { rows } = await client.query('SELECT branch FROM validation_executions');
    expect(rows.map(({ branch }) => String(branch)).toSorted()).toEqual(left);
    await removeLegalHold(pool, customerId, hold?.id ?? '');
    await purge();
    expect(await idsLeft()).toEqual([]);
  });

  test('holds scans of commits that are known to be of the issue', async () => {
    await archived(400, { phase: 'scan', issueNumber: 1 });
    await pool.transaction((transaction) =>
      addLegalHold(transaction, held(issue('nodegoat', 1)), 'a lawsuit'),
    );
    expect(await purge()).toEqual([]);
  });

  test('of another customer holds nothing here', async () => {
    await archived(400);
    const other = await makeCustomer(pool);
    await pool.transaction((transaction) =>
      addLegalHold(transaction, { customerId: other.customerId }, 'a lawsuit'),
    );
    expect(await purge()).toMatchObject([{ rows: 1 }]);
  });

  test('once it is made, nothing goes that was about to', async () => {
    await archived(400);
    await client.query('BEGIN');
    await client.query(`SELECT pg_advisory_xact_lock(hashtextextended('legal-holds', 0))`);
    const purging = purge();
    await vi.waitFor(async () => {
      const { rowCount } = await client.query(
        `SELECT FROM pg_locks WHERE locktype = 'advisory' AND NOT granted AND mode = 'ShareLock'
           AND database = (SELECT oid FROM pg_database WHERE datname = current_database())`,
      );
      expect(rowCount).toBe(1);
    }, 20_000);
    await client.query(`INSERT INTO legal_holds (customer_id, reason) VALUES ($1, 'a lawsuit')`, [
      customerId,
    ]);
    await client.query('COMMIT');
    expect(await purging).toEqual([]);
  });
});

describe('a round', () => {
  test('takes away what was foretold, and says so in an audit whose chain is intact', async () => {
    for (const [n, phase] of [...PHASES, ...PHASES].entries())
      await archived(400 + n, { phase, commitSha: `c${n}`, issueNumber: n + 1, data: { n } });
    await archived(100);
    const foretold = [
      ...(await measureOldExecutions(pool, 'executions', defaults)),
      ...(await measureOldExecutions(pool, 'payloads', defaults)),
    ];
    expect(foretold.map(({ loss, rows }) => [loss, rows])).toEqual([
      ['executions', 2],
      ['executions', 2],
      ['executions', 2],
      ['payloads', 1],
    ]);
    expect(await countRows(pool, 'run_tombstones', customerId)).toBe(0);
    const executions = await purge();
    const payloads = await drop();
    expect([...executions, ...payloads]).toEqual(foretold);
    const { rows: events } = await client.query(
      `SELECT event_type, metadata FROM audit_events WHERE event_type LIKE 'retention.%' ORDER BY id`,
    );
    expect(events.map(({ event_type: type, metadata }) => [type, metadata.phase, metadata.rows])).toEqual([
      ...executions.map((each) => ['retention.purged', each.phase, each.rows]),
      ...payloads.map((each) => ['retention.data_dropped', each.phase, each.rows]),
    ]);
    while ((await sealAuditEvents(pool, customerId, 500)) > 0);
    expect(await verifyAuditChain(pool, customerId)).not.toHaveProperty('broken');
  });

  test('of the leader counts what went', async () => {
    await archived(400);
    await archived(100, { issueNumber: 5 });
    const metrics = createMetrics({ defaultMetrics: false });
    const settings = {
      ...defaults,
      sessionDays: 365,
      taskDays: 365,
      approvalDays: 365,
      quarantineDays: 365,
      tombstoneDays: 365,
    };
    const logger = runLogger('retention');
    const [job] = createRetentionJobs({ pool, metrics, logger, settings, livePhaseRuns: () => [] });
    await job?.run(never);
    const text = await metrics.expose();
    expect(text).toMatch(/phaserun_retention_removed_rows_total\{kind="executions"\} 1\n/);
    expect(text).toMatch(/phaserun_retention_removed_rows_total\{kind="payloads"\} 1\n/);
    expect(text).toMatch(/phaserun_retention_last_success_timestamp_seconds\{kind="executions"\} 1\d{9}/);
    expect(text).toMatch(/phaserun_retention_oldest_execution_age_seconds 86\d{5}/);
  });
});

describe('a run whose payload is kept nowhere any more', () => {
  const gone = { payloadIsGone: true, byReference: true } as const;
  const withoutData = ({ data: _, ...run }: ArchivableRun) => run;

  test('is archived as purged when it was, and as it is when its row is there', async () => {
    const purged = await archived(366);
    const kept = await archived(100, { issueNumber: 5 });
    await purge();
    await drop();
    const again = (run: ArchivableRun) => archiveRun(pool, makeRun({ ...withoutData(run), ...gone }));
    expect(await again(purged)).toMatchObject({ disposition: 'purged' });
    expect(await again(kept)).toMatchObject({ disposition: 'unchanged', executionId: kept.runId });
  });

  test('is refused when nothing is known of it, or when it would have to be written', async () => {
    const refused = { disposition: 'rejected', reason: 'PayloadNotFound' };
    expect(await archiveRun(pool, makeRun({ customerId, ...gone }))).toMatchObject(refused);
    const running = await archived(1, { status: 'running' });
    const completed = makeRun({ ...withoutData(running), status: 'completed', ...gone });
    expect(await archiveRun(pool, completed)).toMatchObject(refused);
  });
});
