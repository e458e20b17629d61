import { randomUUID } from 'node:crypto';
import { sql } from 'slonik';
import { afterAll, describe, expect, test } from 'vitest';
import { z } from 'zod';
import { digestOf } from '../../../src/domain/digest.ts';
import { PHASES } from '../../../src/domain/phase.ts';
import type { ArchivableRun, ArchivedRun, ArchiveOutcome } from '../../../src/domain/run.ts';
import { archiveRun, archiveTogether } from '../../../src/store/archive.ts';
import type { Connection } from '../../../src/store/database.ts';
import { Leadership } from '../../../src/store/leadership.ts';
import { putPayload } from '../../../src/store/payloads.ts';
import { lockSlot } from '../../../src/store/slots.ts';
import { freshDatabase } from '../../fixtures/database.ts';
import { makeCustomer, makeRun, openDatabase, repository } from './builders.ts';
import { countRows, listSessions } from './rows.ts';

const { url } = await freshDatabase();
const databases = await Promise.all([openDatabase(url), openDatabase(url)]);
const [pool, other] = databases.map((database) => database.pool) as [Connection, Connection];
afterAll(() => Promise.all(databases.map((database) => database.close())));

const dispositions = (outcomes: readonly (ArchiveOutcome | undefined)[]) =>
  outcomes.map((outcome) => outcome?.disposition);

const TABLES = [
  'repositories',
  'sessions',
  'session_transitions',
  'scan_executions',
  'validation_executions',
  'mitigation_executions',
  'duplicate_runs',
  'run_tombstones',
  'quarantined_runs',
  'webhook_deliveries',
  'audit_events',
];

/** All rows of a customer, without ids and times, so that those of two customers can be compared. */
async function contentsOf(customerId: string) {
  const contents: [string, unknown][] = [];
  const content = z.object({ content: z.record(z.string(), z.unknown()) });
  for (const table of TABLES) {
    const rows = await pool.any(sql.type(content)`
      SELECT to_jsonb(t) AS content FROM ${sql.identifier([table])} t WHERE customer_id = ${customerId}
    `);
    const kept = rows.map(({ content: { id: _id, ...columns } }) =>
      JSON.stringify(columns).replaceAll(TIME, 'time').replaceAll(UUID, 'id').replaceAll(DRAWN, 'order'),
    );
    contents.push([table, kept.toSorted()]);
  }
  return contents;
}

const TIME = /\d{4}-\d\d-\d\dT[\d:.]+(\+00:00|Z)/g;
/** A place in a slot that came from the sequence. */
const DRAWN = /(?<=run_order":)\d{4,}/g;
const UUID = /[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}/g;

/** Rounds of runs, no two of one slot in a round, that become all that runs can become. */
async function makeRounds(customerId: string): Promise<readonly (readonly ArchivableRun[])[]> {
  const name = (suffix: string) => ({ phaseRun: { namespace: 'acme', name: `run-${suffix}` } });
  const run = (suffix: string, options: Omit<Parameters<typeof makeRun>[0], 'customerId'>) =>
    makeRun({ customerId, ...name(suffix), ...options });
  const referred = { vulnerabilities: [], note: 'kept before' };
  await putPayload(pool, { customerId, phase: 'scan', data: referred, digest: digestOf(referred) });
  const scan = run('scan', { phase: 'scan', order: 10, commitSha: 'abc', data: referred, byReference: true });
  const validation = run('validation', { order: 20, issueNumber: 1, status: 'running', data: {} });
  const failed = run('failed', {
    order: 30,
    issueNumber: 2,
    status: 'failed',
    errorMessage: 'no "tests" \\ found',
    startedAt: '2026-01-02T03:04:05.678901Z',
    completedAt: '2026-01-02T04:04:05Z',
  });
  const removed = run('removed', { order: 5, issueNumber: 5 });
  await pool.query(sql.unsafe`
    INSERT INTO slot_tombstones (customer_id, slot, up_to_order) VALUES (${customerId}, ${removed.slot}, 9)
  `);
  const { commitSha: _, ...byIssue } = run('by-issue', { phase: 'scan', order: 40, issueNumber: 3 });
  return [
    [
      scan,
      validation,
      failed,
      byIssue,
      removed,
      run('missing', { phase: 'scan', order: 1, commitSha: 'def', data: { gone: true }, byReference: true }),
      run('elsewhere', { order: 1, issueNumber: 1, repository: repository('elsewhere', 'acme/nested') }),
    ],
    [
      scan,
      run('completed', {
        ...validation,
        data: { validated: true, vulnerabilities: [{ type: 'xss' }, { type: 'ssrf' }] },
        status: 'completed',
      }),
      run('repeats', { ...failed, runId: randomUUID(), order: 31 }),
      run('second-scan', { phase: 'scan', order: 41, issueNumber: 3, commitSha: 'fed' }),
      removed,
      run('backward', { ...byIssue, status: 'pending' }),
    ],
    [
      run('fixed', { phase: 'mitigation', order: 22, issueNumber: 1, data: { trustScore: 93.5 } }),
      run('mitigated', { phase: 'mitigation', order: 33, issueNumber: 2, status: 'running' }),
      run('unplaced', { issueNumber: 77 }),
    ],
  ].map((round) => round.map((each) => ({ ...each, customerId })));
}

async function subscribe(customerId: string): Promise<void> {
  await pool.query(sql.unsafe`
    INSERT INTO webhook_subscriptions (id, customer_id, url, event_types, secret)
    VALUES (
      gen_random_uuid(), ${customerId}, 'https://example.test/',
      ARRAY['phase.completed', 'phase.failed', 'session.completed', 'session.failed'], sha256('x')
    )
  `);
}

describe('archiveTogether', () => {
  test('ends in the rows and the outcomes that archiving one by one ends in', async () => {
    const [together, alone] = [await makeCustomer(pool), await makeCustomer(pool)].map(
      ({ customerId }) => customerId,
    ) as [string, string];
    for (const customerId of [together, alone]) await subscribe(customerId);
    const outcomes = { together: [] as unknown[], alone: [] as unknown[] };
    const comparable = (outcome: ArchiveOutcome | undefined) => ({
      ...outcome,
      ...(outcome && 'executionId' in outcome && { executionId: 'id', committedAt: 'time', order: 'some' }),
      ...(outcome && 'session' in outcome && { session: outcome.session?.state }),
      ...(outcome && 'secondsToFix' in outcome && { secondsToFix: 'some' }),
      ...(outcome && 'message' in outcome && { message: 'why' }),
    });
    for (const round of await makeRounds(together))
      outcomes.together.push(...(await archiveTogether(pool, round)).map(comparable));
    for (const round of await makeRounds(alone))
      for (const run of round) outcomes.alone.push(comparable(await archiveRun(pool, run)));
    expect(outcomes.together).toEqual(outcomes.alone);
    expect(
      new Set(outcomes.alone.map((outcome) => (outcome as { readonly disposition: string }).disposition)),
    ).toEqual(new Set(['inserted', 'updated', 'unchanged', 'duplicate', 'deleted', 'rejected']));
    expect(await contentsOf(together)).toEqual(await contentsOf(alone));
    expect(await countRows(pool, 'webhook_deliveries', together)).toBeGreaterThan(5);
  });

  test('leaves out a run whose slot is locked, and waits for nobody', async () => {
    const { customerId } = await makeCustomer(pool);
    const runs = [1, 2, 3].map((issueNumber) => makeRun({ customerId, issueNumber, order: 1024 }));
    const [, locked] = runs as [ArchivableRun, ArchivableRun];
    const outcomes = await other.transaction(async (transaction) => {
      await lockSlot(transaction, locked);
      return archiveTogether(pool, runs);
    });
    expect(dispositions(outcomes)).toEqual(['inserted', undefined, 'inserted']);
    expect(await countRows(pool, 'validation_executions', customerId)).toBe(2);
    expect(dispositions(await archiveTogether(pool, runs))).toEqual(['unchanged', 'inserted', 'unchanged']);
  });

  test('writes nothing of any when Postgres refuses one, then or later', async () => {
    const { customerId } = await makeCustomer(pool);
    const runs = (['bad \0', 'ok', 'fine'] as const).map((data, index) =>
      makeRun({
        customerId,
        phase: PHASES[index] ?? 'scan',
        issueNumber: index + 1,
        order: 1024,
        data: { data },
      }),
    );
    // The repository is there, as it would have to be for any of them to be written by itself.
    await pool.query(sql.unsafe`
      INSERT INTO repositories (customer_id, forge_type, namespace, name, full_path)
      VALUES (${customerId}, 'github', 'acme', 'nodegoat', 'acme/nodegoat')
    `);
    for (let attempt = 0; attempt < 5; attempt += 1)
      expect(dispositions(await archiveTogether(pool, runs))).toEqual([undefined, undefined, undefined]);
    // Were a statement carried out after the transaction had ended, it would hold up this one.
    await pool.transaction((transaction) => transaction.query(sql.unsafe`LOCK TABLE audit_events`));
    const tables = ['scan', 'validation', 'mitigation'].map((phase) => `${phase}_executions`);
    for (const table of [...tables, 'sessions', 'audit_events', 'quarantined_runs'])
      expect([table, await countRows(pool, table, customerId)]).toEqual([table, 0]);
    const outcomes = await Promise.all(runs.map((run) => archiveRun(pool, run)));
    expect(dispositions(outcomes)).toEqual(['quarantined', 'inserted', 'inserted']);
  });

  test('does not wait for a row that somebody holds: all are left, and those that need it not are archived alone', async () => {
    const [held, free] = [await makeCustomer(pool), await makeCustomer(pool)];
    await subscribe(held.customerId);
    const runs = [held, free].map(({ customerId }) => makeRun({ customerId, order: 1024 }));
    const [waiting, untouched] = runs as [ArchivableRun, ArchivableRun];
    await other.transaction(async (transaction) => {
      await transaction.query(sql.unsafe`
        SELECT FROM webhook_subscriptions WHERE customer_id = ${held.customerId} FOR UPDATE
      `);
      expect(dispositions(await archiveTogether(pool, runs))).toEqual([undefined, undefined]);
      expect(await archiveRun(pool, untouched)).toMatchObject({ disposition: 'inserted' });
      expect(await countRows(transaction, 'validation_executions', held.customerId)).toBe(0);
    });
    expect(await archiveRun(pool, waiting)).toMatchObject({ disposition: 'inserted' });
  });

  test('leaves out the second of two runs that join one session', async () => {
    const { customerId } = await makeCustomer(pool);
    const first = makeRun({ customerId, issueNumber: 1, order: 1024, status: 'running' });
    const { session } = (await archiveRun(pool, first)) as ArchivedRun;
    const second = makeRun({
      customerId,
      issueNumber: 2,
      order: 1024,
      status: 'running',
      sessionId: session?.id ?? '',
    });
    await archiveRun(pool, second);
    const { sessionId: _, ...moved } = makeRun({ ...second, status: 'completed', data: { validated: true } });
    const outcomes = await archiveTogether(pool, [
      makeRun({ customerId, issueNumber: 1, order: 2048, phase: 'mitigation' }),
      moved,
    ]);
    expect(dispositions(outcomes)).toEqual(['inserted', undefined]);
    expect(await archiveRun(pool, moved)).toMatchObject({ disposition: 'updated' });
    expect(await listSessions(pool, customerId)).toMatchObject([{ status: 'completed', outcome: 'fixed' }]);
  });

  test('leaves out the second of two runs with one id, which is refused by itself', async () => {
    const { customerId } = await makeCustomer(pool);
    const run = makeRun({ customerId, issueNumber: 1, order: 1024 });
    const twin = makeRun({ ...run, phase: 'scan', commitSha: 'abc', data: { another: true } });
    expect(dispositions(await archiveTogether(pool, [run, twin]))).toEqual(['inserted', undefined]);
    expect(await archiveRun(pool, twin)).toMatchObject({ disposition: 'rejected', reason: 'RunIdTaken' });
  });

  test('touches each repository once and in one order, so that no two groups wait for each other', async () => {
    const { customerId } = await makeCustomer(pool);
    const runs = ['c', 'a', 'b', 'a', 'c'].map((name, index) =>
      makeRun({ customerId, issueNumber: index + 1, order: 1024, repository: repository(name) }),
    );
    const touched: unknown[] = [];
    const recording: Connection = {
      ...pool,
      transaction: (body) =>
        pool.transaction((transaction) =>
          body({
            ...transaction,
            any: (query) => transaction.any(query),
            one: (query) => {
              if ('name' in query && query.name === 'touch_repository') touched.push(query.values[3]);
              return transaction.one(query);
            },
          }),
        ),
    };
    await archiveTogether(recording, runs);
    expect(touched).toEqual(['a', 'b', 'c']);
    expect(await countRows(pool, 'validation_executions', customerId)).toBe(5);
  });

  test('of a leader of before archives nothing', async () => {
    const { customerId } = await makeCustomer(pool);
    const runs = [1, 2].map((issueNumber) => makeRun({ customerId, issueNumber, order: 1024 }));
    const begin = async (connection: Connection) => {
      const leadership = new Leadership(connection);
      await leadership.begin(AbortSignal.timeout(20_000));
      return leadership.during((term) => Promise.resolve(term));
    };
    const before = await begin(pool);
    const now = await begin(other);
    await expect(archiveTogether(pool, runs, before)).rejects.toMatchObject({ kind: 'stale_leader' });
    expect(await countRows(pool, 'validation_executions', customerId)).toBe(0);
    expect(dispositions(await archiveTogether(other, runs, now))).toEqual(['inserted', 'inserted']);
  });

  test('keeps customers apart: the id of another one is refused, and the others are archived', async () => {
    const [owner, intruder] = [await makeCustomer(pool), await makeCustomer(pool)];
    const run = makeRun({ customerId: owner.customerId, issueNumber: 1, order: 1024, data: { secret: 1 } });
    await archiveRun(pool, run);
    const outcomes = await archiveTogether(pool, [
      makeRun({ ...run, customerId: intruder.customerId, issueNumber: 2, data: { mine: true } }),
      makeRun({
        ...run,
        customerId: intruder.customerId,
        runId: randomUUID(),
        issueNumber: 3,
        byReference: true,
      }),
      makeRun({ customerId: intruder.customerId, issueNumber: 4, order: 1024 }),
      makeRun({ customerId: owner.customerId, issueNumber: 5, order: 1024 }),
    ]);
    expect(outcomes).toMatchObject([
      { disposition: 'rejected', reason: 'RunIdTaken' },
      { disposition: 'rejected', reason: 'PayloadNotFound' },
      { disposition: 'inserted' },
      { disposition: 'inserted' },
    ]);
    expect(await listSessions(pool, intruder.customerId)).toHaveLength(1);
    expect(await countRows(pool, 'audit_events', intruder.customerId)).toBe(1);
  });

  test('many groups at once, of the same new repositories, are each archived once', async () => {
    const { customerId } = await makeCustomer(pool);
    const group = (first: number) =>
      Array.from({ length: 12 }, (_, index) =>
        makeRun({
          customerId,
          order: 1024,
          issueNumber: first + index,
          repository: repository(`new-${(first * (index + 1)) % 7}`),
        }),
      );
    const archive = async (connection: Connection, runs: readonly ArchivableRun[]) => {
      const outcomes = await archiveTogether(connection, runs);
      // On a busy machine one may have waited too long.
      return Promise.all(runs.map(async (run, index) => outcomes[index] ?? archiveRun(connection, run)));
    };
    const outcomes = await Promise.all(
      [1, 101, 201, 301, 401, 501].map((first, index) =>
        archive(index % 2 === 0 ? pool : other, group(first)),
      ),
    );
    expect(new Set(dispositions(outcomes.flat()))).toEqual(new Set(['inserted']));
    expect(await countRows(pool, 'validation_executions', customerId)).toBe(72);
    expect(await countRows(pool, 'sessions', customerId)).toBe(72);
  });
});
