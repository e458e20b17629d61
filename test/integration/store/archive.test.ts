import { randomUUID } from 'node:crypto';
import { sql } from 'slonik';
import { afterAll, describe, expect, test } from 'vitest';
import { z } from 'zod';
import type { ArchivableRun } from '../../../src/domain/run.ts';
import { digestOf } from '../../../src/domain/digest.ts';
import { archiveRun } from '../../../src/store/archive.ts';
import { listCommittedRuns } from '../../../src/store/committed-runs.ts';
import { putPayload } from '../../../src/store/payloads.ts';
import { verifyReceipts } from '../../../src/store/receipts.ts';
import { freshDatabase } from '../../fixtures/database.ts';
import { makeCustomer, makeRun, openDatabase, repository } from './builders.ts';
import { countRows, listRows, listSessions } from './rows.ts';

const database = await openDatabase((await freshDatabase()).url);
const { pool } = database;
afterAll(() => database.close());

const scope = async () => (await makeCustomer(pool)).customerId;
/** Archives one after another, in the order given. */
async function archiveAll(runs: readonly ArchivableRun[]) {
  const outcomes = [];
  for (const run of runs) outcomes.push(await archiveRun(pool, run));
  return outcomes;
}
const dispositions = (outcomes: Awaited<ReturnType<typeof archiveAll>>) =>
  outcomes.map(({ disposition }) => disposition);

describe('archiveRun', () => {
  test('writes the row with all its columns, once', async () => {
    const customerId = await scope();
    const data = {
      fixed: true,
      prUrl: 'https://github.com/acme/nodegoat/pull/77',
      filesChanged: 3,
      preTestPassed: false,
      postTestPassed: true,
      language: 'javascript',
      framework: 'express',
      nested: { kept: ['as', 1.5, null] },
    };
    const run = makeRun({
      customerId,
      phase: 'mitigation',
      data,
      order: 1024,
      branch: 'main',
      pipelineRunId: '9182',
      startedAt: '2026-02-11T09:14:03.220Z',
      completedAt: '2026-02-11T09:15:03.220123Z',
      errorMessage: 'none',
      apiKeyId: 'key1',
    });
    const first = await archiveRun(pool, run);
    expect(first).toEqual({
      disposition: 'inserted',
      executionId: run.runId,
      sha256: run.sha256,
      order: 1024,
      committedAt: expect.stringMatching(/^\d{4}-\d\d-\d\dT[\d:.]+Z$/),
      incarnation: expect.stringMatching(/^[0-9a-f]{16}$/),
      session: { id: expect.any(String), state: 'completed' },
      transitions: [
        { from: null, to: 'pending' },
        { from: 'pending', to: 'active' },
        { from: 'active', to: 'completed' },
      ],
    });
    expect(await archiveRun(pool, run)).toEqual({ ...first, disposition: 'unchanged', transitions: [] });
    const { rows } = await pool.query(sql.unsafe`
      SELECT run_order, commit_sha, issue_number, branch, pipeline_run_id, status, pr_url, pr_number, files_changed,
        trust_score, red_green, language, framework, data, encode(sha256, 'hex') AS sha256, size_bytes,
        started_at, completed_at::text, error_message, api_key_id, phase_run_namespace, phase_run_name
      FROM mitigation_executions WHERE customer_id = ${customerId}
    `);
    expect(rows).toEqual([
      {
        run_order: 1024,
        commit_sha: '7776c71',
        issue_number: 1204,
        branch: 'main',
        pipeline_run_id: '9182',
        status: 'completed',
        pr_url: data.prUrl,
        pr_number: 77,
        files_changed: 3,
        trust_score: 100,
        red_green: 'proven',
        language: 'javascript',
        framework: 'express',
        data,
        sha256: run.sha256,
        size_bytes: run.sizeBytes,
        started_at: '2026-02-11T09:14:03.220Z',
        completed_at: '2026-02-11 09:15:03.220123+00',
        error_message: 'none',
        api_key_id: 'key1',
        phase_run_namespace: run.phaseRun.namespace,
        phase_run_name: run.phaseRun.name,
      },
    ]);
    for (const [table, want] of [
      ['repositories', 1],
      ['sessions', 1],
      ['session_transitions', 3],
      ['audit_events', 1],
    ] as const)
      expect([table, await countRows(pool, table, customerId)]).toEqual([table, want]);
  });

  test.each([
    { name: 'scan', phase: 'scan', data: { vulnerabilities: [1, 2] }, want: { vulnerabilities_count: 2 } },
    {
      name: 'validation',
      phase: 'validation',
      data: { validated: true, vulnerabilities: [1], redTestPassed: false },
      want: { validated: true, vulnerabilities_found: 1, red_green: 'proven' },
    },
    { name: 'mitigation', phase: 'mitigation', data: { fixed: false }, want: { red_green: 'unproven' } },
  ] as const)('fills the columns of a $name', async ({ phase, data, want }) => {
    const customerId = await scope();
    await archiveRun(pool, makeRun({ customerId, phase, data }));
    expect(await listRows(pool, phase, customerId)).toMatchObject([want]);
  });

  test('a run that progresses stays one row, with a fresh place once it moves forward', async () => {
    const customerId = await scope();
    const running = makeRun({ customerId, order: 1024, status: 'running', data: {} });
    const more = { ...makeRun({ ...running, data: { step: 1 } }), order: 1024 };
    const completed = { ...makeRun({ ...running, status: 'completed', data: { done: true } }), order: 4096 };
    expect(dispositions(await archiveAll([running, running, more, completed, completed]))).toEqual([
      'inserted',
      'unchanged',
      'updated',
      'updated',
      'unchanged',
    ]);
    expect(await listRows(pool, 'validation', customerId)).toMatchObject([
      { id: running.runId, status: 'completed', run_order: 4096, data: { done: true } },
    ]);
    expect(await listSessions(pool, customerId)).toMatchObject([{ status: 'active', last_run_order: 4096 }]);
  });

  test('an applied run draws its order when it is first written and when it moves forward', async () => {
    const customerId = await scope();
    const running = makeRun({ customerId, status: 'running', data: {} });
    await archiveAll([running, makeRun({ ...running, data: { step: 1 } })]);
    const [first] = await listRows(pool, 'validation', customerId);
    await archiveRun(pool, makeRun({ ...running, status: 'completed', data: { done: true } }));
    const [second] = await listRows(pool, 'validation', customerId);
    expect(Number(first?.run_order) % 1024).toBe(0);
    expect(Number(second?.run_order)).toBeGreaterThan(Number(first?.run_order));
  });

  test.each([
    { name: 'finished, then other content', from: 'completed', to: 'completed', data: { other: 1 } },
    { name: 'finished, then running', from: 'completed', to: 'running', data: { validated: true } },
    { name: 'completed, then failed', from: 'completed', to: 'failed', data: { validated: true } },
    { name: 'running, then pending', from: 'running', to: 'pending', data: { validated: true } },
  ] as const)('$name: rejected, the row stays', async ({ from, to, data }) => {
    const customerId = await scope();
    const run = makeRun({ customerId, order: 1024, status: from });
    await archiveRun(pool, run);
    const outcome = await archiveRun(pool, makeRun({ ...run, status: to, data }));
    expect(outcome).toMatchObject({ disposition: 'rejected', reason: 'StatusMovedBackward' });
    expect(await listRows(pool, 'validation', customerId)).toMatchObject([
      { status: from, data: { validated: true } },
    ]);
  });

  test('A, B, A are three rows; A again is the third', async () => {
    const customerId = await scope();
    const store = (order: number, data: object, commitSha = '7776c71') =>
      makeRun({ customerId, order, data: { ...data }, commitSha });
    const runs = [store(1024, { a: 1 }), store(2048, { b: 1 }), store(3072, { a: 1 }), store(4096, { a: 1 })];
    const outcomes = await archiveAll(runs);
    expect(dispositions(outcomes)).toEqual(['inserted', 'inserted', 'inserted', 'duplicate']);
    expect(outcomes[3]).toMatchObject({ executionId: runs[2]?.runId, transitions: [] });
    expect(await archiveRun(pool, store(5120, { a: 1 }, '8887d82'))).toMatchObject({
      disposition: 'inserted',
    });
    expect(await countRows(pool, 'validation_executions', customerId)).toBe(4);
  });

  test.each([
    { name: 'another commit', change: { commitSha: 'ffff' } },
    { name: 'another branch', change: { branch: 'next' } },
    { name: 'another pipeline run', change: { pipelineRunId: '2' } },
    { name: 'another status', change: { status: 'failed' } },
    { name: 'another phase', change: { phase: 'mitigation' } },
    { name: 'another issue', change: { issueNumber: 7 } },
    { name: 'another repository', change: { repository: repository('other') } },
  ] as const)('$name makes it no duplicate', async ({ change }) => {
    const customerId = await scope();
    const run = makeRun({ customerId, order: 1024 });
    const other = makeRun({ customerId, order: 2048, ...change });
    expect(dispositions(await archiveAll([run, other]))).toEqual(['inserted', 'inserted']);
  });

  test('a run that comes late and equals the row after it is a duplicate of that', async () => {
    const customerId = await scope();
    const late = makeRun({ customerId, order: 1024 });
    const early = makeRun({ customerId, order: 2048 });
    const outcomes = await archiveAll([early, late, late]);
    expect(dispositions(outcomes)).toEqual(['inserted', 'duplicate', 'duplicate']);
    expect(outcomes[2]).toMatchObject({ executionId: early.runId, session: { state: 'active' } });
    expect(await countRows(pool, 'duplicate_runs', customerId)).toBe(1);
    expect(await countRows(pool, 'audit_events', customerId)).toBe(2);
  });

  test('a duplicate stays one when its row moves on, and becomes a row when it moves on itself', async () => {
    const customerId = await scope();
    const first = makeRun({ customerId, order: 1024, status: 'running', data: {} });
    const second = makeRun({ customerId, order: 2048, status: 'running', data: {} });
    const firstDone = makeRun({ ...first, order: 3072, status: 'completed', data: { a: 1 } });
    const secondDone = makeRun({ ...second, order: 4096, status: 'completed', data: { b: 1 } });
    expect(
      dispositions(await archiveAll([first, second, firstDone, second, secondDone, secondDone])),
    ).toEqual(['inserted', 'duplicate', 'updated', 'duplicate', 'inserted', 'unchanged']);
    expect(await countRows(pool, 'validation_executions', customerId)).toBe(2);
    expect(await countRows(pool, 'duplicate_runs', customerId)).toBe(0);
  });

  test('a run that comes late takes its place in the middle', async () => {
    const customerId = await scope();
    const orders = [1024, 4096, 2048];
    await archiveAll(orders.map((order) => makeRun({ customerId, order, data: { order } })));
    expect((await listRows(pool, 'validation', customerId)).map((row) => row.data)).toEqual([
      { order: 4096 },
      { order: 2048 },
      { order: 1024 },
    ]);
  });

  test('up to a slot tombstone nothing is stored, after it things are', async () => {
    const customerId = await scope();
    const [before, at, after] = [1024, 2048, 3072].map((order) => makeRun({ customerId, order }));
    if (!before || !at || !after) throw new Error('three runs');
    await pool.query(sql.unsafe`
      INSERT INTO slot_tombstones (customer_id, slot, up_to_order) VALUES (${customerId}, ${at.slot}, 2048)
    `);
    expect(dispositions(await archiveAll([before, at, at, after]))).toEqual([
      'deleted',
      'deleted',
      'deleted',
      'inserted',
    ]);
    expect(await countRows(pool, 'validation_executions', customerId)).toBe(1);
    expect(await countRows(pool, 'audit_events', customerId)).toBe(3);
  });

  test('a purged run is not written again', async () => {
    const customerId = await scope();
    const run = makeRun({ customerId });
    await pool.query(sql.unsafe`
      INSERT INTO run_tombstones (run_id, customer_id, reason, sha256)
      VALUES (${run.runId}, ${customerId}, 'purged', decode(${run.sha256}, 'hex'))
    `);
    expect(await archiveRun(pool, run)).toMatchObject({ disposition: 'purged', executionId: run.runId });
    expect(await countRows(pool, 'validation_executions', customerId)).toBe(0);
  });

  test.each([
    { name: 'of another customer', otherCustomer: true, change: {} },
    { name: 'of another phase', otherCustomer: false, change: { phase: 'mitigation' } },
  ] as const)('an id $name is taken, and nothing is said of it', async ({ otherCustomer, change }) => {
    const customerId = await scope();
    const run = makeRun({ customerId, data: { secret: 'other' } });
    await archiveRun(pool, run);
    const intruder = otherCustomer ? await scope() : customerId;
    const outcome = await archiveRun(pool, makeRun({ customerId: intruder, runId: run.runId, ...change }));
    expect(outcome).toEqual({
      disposition: 'rejected',
      reason: 'RunIdTaken',
      message: 'spec.runId is the id of another run',
    });
    expect(await listRows(pool, 'validation', customerId)).toMatchObject([{ data: { secret: 'other' } }]);
  });

  test('equal runs of two customers are two rows in two repositories', async () => {
    const [one, two] = [await scope(), await scope()];
    const outcomes = await archiveAll([
      makeRun({ customerId: one, order: 1024 }),
      makeRun({ customerId: two, order: 2048 }),
    ]);
    expect(dispositions(outcomes)).toEqual(['inserted', 'inserted']);
    expect(await countRows(pool, 'repositories', two)).toBe(1);
    expect(await countRows(pool, 'sessions', two)).toBe(1);
  });

  test('a payload by reference is copied into the row; without it the run is rejected', async () => {
    const customerId = await scope();
    const data = { large: 'x'.repeat(100_000) };
    const run = makeRun({ customerId, data, byReference: true });
    const elsewhere = await scope();
    const payload = { phase: run.phase, data, digest: digestOf(data) };
    await putPayload(pool, { ...payload, customerId: elsewhere });
    expect(await archiveRun(pool, run)).toMatchObject({ disposition: 'rejected', reason: 'PayloadNotFound' });
    await putPayload(pool, { ...payload, customerId });
    expect(await archiveRun(pool, run)).toMatchObject({ disposition: 'inserted' });
    await pool.query(sql.unsafe`DELETE FROM payloads WHERE customer_id = ${customerId}`);
    expect(await archiveRun(pool, run)).toMatchObject({ disposition: 'unchanged' });
    expect(await listRows(pool, 'validation', customerId)).toMatchObject([{ data }]);
  });

  test('completing with the digest it had needs no payload', async () => {
    const customerId = await scope();
    const data = { large: true };
    const running = makeRun({ customerId, order: 1024, status: 'running', data });
    const completed = makeRun({ ...running, order: 2048, status: 'completed', data, byReference: true });
    expect(dispositions(await archiveAll([running, completed]))).toEqual(['inserted', 'updated']);
    expect(await listRows(pool, 'validation', customerId)).toMatchObject([{ status: 'completed', data }]);
  });

  test('what Postgres refuses is quarantined, and no longer once it is mended', async () => {
    const customerId = await scope();
    const run = makeRun({ customerId, status: 'running', data: { bad: 'a\0b' } });
    const outcome = await archiveRun(pool, run);
    expect(outcome).toMatchObject({ disposition: 'quarantined', sqlstate: '22P05' });
    expect(await archiveRun(pool, run)).toEqual(outcome);
    const { rows } = await pool.query(sql.unsafe`
      SELECT run_id, sqlstate, convert_from(content, 'UTF8') AS content FROM quarantined_runs WHERE customer_id = ${customerId}
    `);
    expect(rows).toEqual([{ run_id: run.runId, sqlstate: '22P05', content: JSON.stringify(run) }]);
    expect(await listCommittedRuns(pool, [run.runId])).toMatchObject([{ disposition: 'quarantined' }]);
    expect(await archiveRun(pool, makeRun({ ...run, data: { bad: 'ab' } }))).toMatchObject({
      disposition: 'inserted',
    });
    expect(await countRows(pool, 'quarantined_runs', customerId)).toBe(0);
    expect(await countRows(pool, 'validation_executions', customerId)).toBe(1);
  });

  test.each([
    { name: 'NUL in a column', change: { branch: 'a\0b' } },
    { name: 'too long for a column', change: { apiKeyId: 'k'.repeat(99) } },
    { name: 'too long for an index', change: { commitSha: randomText(9000) } },
  ] as const)('quarantined: $name', async ({ change }) => {
    const customerId = await scope();
    const run = makeRun({ customerId, phase: 'scan', ...change });
    expect(await archiveRun(pool, run)).toMatchObject({ disposition: 'quarantined' });
    expect(await countRows(pool, 'repositories', customerId)).toBe(0);
  });

  test('a receipt is good as long as its row, its alias or its tombstone is there', async () => {
    const customerId = await scope();
    const kept = makeRun({ customerId, order: 1024 });
    const repeated = makeRun({ customerId, order: 2048 });
    const purged = makeRun({ customerId, order: 3072, data: { p: 1 } });
    await archiveAll([kept, repeated]);
    await pool.query(sql.unsafe`
      INSERT INTO run_tombstones (run_id, customer_id, reason, sha256)
      VALUES (${purged.runId}, ${customerId}, 'purged', decode(${purged.sha256}, 'hex'))
    `);
    const lost = makeRun({ customerId });
    const changed = makeRun({ ...kept, data: { other: 1 } });
    const receipt = (run: ArchivableRun, executionId = run.runId) => ({
      runId: run.runId,
      executionId,
      sha256: run.sha256,
    });
    const present = await verifyReceipts(pool, [
      receipt(kept),
      receipt(repeated, kept.runId),
      receipt(purged),
      receipt(lost),
    ]);
    expect([...present].toSorted()).toEqual([kept.runId, repeated.runId, purged.runId].toSorted());
    expect(await verifyReceipts(pool, [receipt(changed)])).toEqual(new Set());
    expect(await verifyReceipts(pool, [])).toEqual(new Set());
  });
});

describe('sessions', () => {
  const order = (place: number) => ({ order: place * 1024 });
  const inverted = { validated: true, redTestPassed: true };
  const fixed = { fixed: true };

  test.each([
    { name: 'scan running', runs: [{ phase: 'scan', status: 'running' }], want: [['active', null]] },
    { name: 'scan completed', runs: [{ phase: 'scan' }], want: [['completed', null]] },
    { name: 'scan failed', runs: [{ phase: 'scan', status: 'failed' }], want: [['failed', null]] },
    { name: 'validation pending', runs: [{ status: 'pending' }], want: [['pending', null]] },
    { name: 'validation completed', runs: [{}], want: [['active', null]] },
    {
      name: 'false positive',
      runs: [{ data: { validated: false, vulnerabilities: [] } }],
      want: [['completed', 'false_positive']],
    },
    { name: 'inverted validation', runs: [{ data: inverted }], want: [['active', 'unproven']] },
    {
      name: 'validation and mitigation',
      runs: [{}, { phase: 'mitigation', data: fixed }],
      want: [['completed', 'fixed']],
    },
    {
      name: 'unproven mitigation, then a proven one',
      runs: [{}, { phase: 'mitigation', data: { fixed: false } }, { phase: 'mitigation', data: fixed }],
      want: [['completed', 'fixed']],
    },
    {
      name: 'work taken up again',
      runs: [{}, { phase: 'mitigation', data: fixed }, { data: { again: 1 } }],
      want: [
        ['completed', 'fixed'],
        ['active', null],
      ],
    },
    {
      name: 'a failed run, then another try',
      runs: [{ status: 'failed' }, {}],
      want: [
        ['failed', null],
        ['active', null],
      ],
    },
  ] as const)('$name', async ({ runs, want }) => {
    const customerId = await scope();
    await archiveAll(runs.map((run, place) => makeRun({ customerId, ...order(place + 1), ...run })));
    const sessions = await listSessions(pool, customerId);
    expect(sessions.map(({ status, outcome }) => [status, outcome])).toEqual(want);
  });

  test('a late run joins the closed session within whose time it was begun, and moves nothing', async () => {
    const customerId = await scope();
    const run = (place: number, options: object = {}) =>
      makeRun({ customerId, ...order(place), data: { place }, ...options });
    await archiveAll([run(2), run(4, { phase: 'mitigation', data: fixed }), run(8)]);
    const [closed, open] = await listSessions(pool, customerId);
    const late = await archiveAll([
      run(1, { status: 'failed' }),
      run(3),
      run(6),
      run(7, { status: 'failed' }),
    ]);
    expect(late.map((outcome) => ('session' in outcome ? outcome.session : undefined))).toEqual([
      { id: closed?.id, state: 'completed' },
      { id: closed?.id, state: 'completed' },
      { id: open?.id, state: 'active' },
      { id: open?.id, state: 'active' },
    ]);
    expect(await listSessions(pool, customerId)).toHaveLength(2);
  });

  test('a run keeps the session it was recorded in, even when that is closed', async () => {
    const customerId = await scope();
    const running = makeRun({ customerId, ...order(1), status: 'running' });
    const failing = makeRun({ customerId, ...order(2), status: 'failed', phase: 'mitigation' });
    const completed = makeRun({ ...running, ...order(3), status: 'completed' });
    const outcomes = await archiveAll([running, failing, completed]);
    expect(outcomes[2]).toMatchObject({
      disposition: 'updated',
      session: { state: 'failed' },
      transitions: [],
    });
    expect(await listSessions(pool, customerId)).toHaveLength(1);
  });

  test('a named session is joined, moved while it is open, left alone when it is over', async () => {
    const customerId = await scope();
    const insert = (status: string) =>
      pool.one(sql.type(z.object({ id: z.string() }))`
        INSERT INTO sessions (customer_id, role, status) VALUES (${customerId}, 'engineering', ${status}) RETURNING id
      `);
    const [open, over] = [await insert('pending'), await insert('expired')];
    const run = makeRun({ customerId, ...order(1), sessionId: open.id, phase: 'mitigation', data: fixed });
    expect(await archiveRun(pool, run)).toMatchObject({
      session: { id: open.id, state: 'completed' },
      transitions: [
        { from: 'pending', to: 'active' },
        { from: 'active', to: 'completed' },
      ],
    });
    const late = makeRun({ customerId, ...order(2), sessionId: over.id });
    expect(await archiveRun(pool, late)).toMatchObject({
      session: { id: over.id, state: 'expired' },
      transitions: [],
    });
  });

  test('a session of nobody, and one of another customer, is not found', async () => {
    const customerId = await scope();
    const foreign = await archiveRun(pool, makeRun({ customerId: await scope() }));
    const foreignId = 'session' in foreign ? foreign.session?.id : undefined;
    for (const sessionId of [randomUUID(), foreignId ?? '']) {
      expect(await archiveRun(pool, makeRun({ customerId, sessionId }))).toMatchObject({
        disposition: 'rejected',
        reason: 'SessionNotFound',
      });
    }
    expect(await countRows(pool, 'repositories', customerId)).toBe(0);
  });
});

/** Text that does not compress, so that it is too large for a page of an index. */
function randomText(length: number): string {
  return Array.from({ length }, () => Math.floor(Math.random() * 36).toString(36)).join('');
}

describe('a run applied by hand, whose row a restore took away', () => {
  test('comes back to its former place, and does not hide what came after it', async () => {
    const { customerId } = await makeCustomer(pool);
    const applied = makeRun({ customerId, data: { n: 1 } });
    const first = await archiveRun(pool, applied);
    const order = 'order' in first ? first.order : undefined;
    expect(order).toBeGreaterThan(0);
    const later = makeRun({ customerId, data: { n: 2 } });
    await archiveRun(pool, later);
    await pool.query(sql.type(z.object({}))`DELETE FROM validation_executions WHERE id = ${applied.runId}`);
    expect(await archiveRun(pool, { ...applied, formerOrder: order ?? 0 })).toMatchObject({
      disposition: 'inserted',
      order,
    });
    expect((await listRows(pool, 'validation', customerId)).map(({ id }) => id)).toEqual([
      later.runId,
      applied.runId,
    ]);
  });

  test('takes a fresh place when it moves forward, as ever', async () => {
    const { customerId } = await makeCustomer(pool);
    const running = makeRun({ customerId, status: 'running', data: { n: 1 } });
    const first = await archiveRun(pool, running);
    await archiveRun(pool, makeRun({ customerId, data: { n: 2 } }));
    const formerOrder = ('order' in first && first.order) || 0;
    await archiveRun(pool, { ...running, status: 'completed', formerOrder });
    expect((await listRows(pool, 'validation', customerId))[0]).toMatchObject({ id: running.runId });
  });

  test('repeats its neighbour from the neighbour’s place', async () => {
    const { customerId } = await makeCustomer(pool);
    const row = await archiveRun(pool, makeRun({ customerId }));
    const repeated = await archiveRun(pool, makeRun({ customerId }));
    expect(repeated).toMatchObject({ disposition: 'duplicate', order: 'order' in row && row.order });
  });
});
