import { Client } from 'pg';
import { sql } from 'slonik';
import { afterAll, describe, expect, test } from 'vitest';
import type { ArchivableRun } from '../../../src/domain/run.ts';
import { archiveRun } from '../../../src/store/archive.ts';
import type { Connection } from '../../../src/store/database.ts';
import { freshDatabase } from '../../fixtures/database.ts';
import { makeCustomer, makeRun, openDatabase, repository } from './builders.ts';
import { countRows, listRows, listSessions } from './rows.ts';

const { url } = await freshDatabase();
// Two pools, as two controllers would have.
const databases = await Promise.all([openDatabase(url, 10), openDatabase(url, 10)]);
const [one, two] = databases.map(({ pool }) => pool) as [Connection, Connection];
afterAll(() => Promise.all(databases.map((database) => database.close())));

const archiveAtOnce = (runs: readonly ArchivableRun[]) =>
  Promise.all(runs.map((run, index) => archiveRun(index % 2 === 0 ? one : two, run)));

function tally(outcomes: readonly { readonly disposition: string }[]) {
  return Object.fromEntries(
    Object.entries(Object.groupBy(outcomes, ({ disposition }) => disposition)).map(([key, of]) => [
      key,
      of?.length,
    ]),
  );
}

const range = (length: number) => Array.from({ length }, (_, index) => index);

describe('archiveRun, many at once', () => {
  test('the same run 50 times is one row, and each step of its session is recorded once', async () => {
    const { customerId } = await makeCustomer(one);
    const run = makeRun({ customerId, order: 1024, phase: 'mitigation', data: { fixed: true } });
    const outcomes = await archiveAtOnce(range(50).map(() => run));
    expect(tally(outcomes)).toEqual({ inserted: 1, unchanged: 49 });
    expect(outcomes.flatMap((outcome) => ('transitions' in outcome ? outcome.transitions : []))).toHaveLength(
      3,
    );
    expect(await countRows(one, 'mitigation_executions', customerId)).toBe(1);
    expect(await countRows(one, 'session_transitions', customerId)).toBe(3);
    expect(await countRows(one, 'audit_events', customerId)).toBe(1);
  });

  test('20 equal runs are one row', async () => {
    const { customerId } = await makeCustomer(one);
    const outcomes = await archiveAtOnce(
      range(20).map((place) => makeRun({ customerId, order: 1024 * (place + 1) })),
    );
    expect(tally(outcomes)).toEqual({ inserted: 1, duplicate: 19 });
    expect(await countRows(one, 'validation_executions', customerId)).toBe(1);
    expect(await countRows(one, 'duplicate_runs', customerId)).toBe(19);
    expect(
      new Set(outcomes.map((outcome) => ('executionId' in outcome ? outcome.executionId : ''))).size,
    ).toBe(1);
  });

  test('20 first stores of a new repository make one of it', async () => {
    const { customerId } = await makeCustomer(one);
    const runs = range(20).map((issue) => makeRun({ customerId, order: 1024, issueNumber: issue + 1 }));
    expect(tally(await archiveAtOnce(runs))).toEqual({ inserted: 20 });
    expect(await countRows(one, 'repositories', customerId)).toBe(1);
    expect(await countRows(one, 'sessions', customerId)).toBe(20);
  });

  test('20 different runs of one slot share its session, and the newest leads', async () => {
    const { customerId } = await makeCustomer(one);
    const runs = range(20).map((place) =>
      makeRun({ customerId, order: 1024 * (place + 1), data: { place } }),
    );
    expect(tally(await archiveAtOnce(runs))).toEqual({ inserted: 20 });
    expect(await listSessions(one, customerId)).toMatchObject([
      { status: 'active', last_run_order: 20 * 1024 },
    ]);
    expect((await listRows(one, 'validation', customerId))[0]?.data).toEqual({ place: 19 });
    expect(await countRows(one, 'session_transitions', customerId)).toBe(2);
  });

  test('of an agent and a run that move one session, one wins', async () => {
    const { customerId } = await makeCustomer(one);
    await archiveRun(one, makeRun({ customerId, order: 1024 }));
    const [session] = await listSessions(one, customerId);
    const fix = makeRun({ customerId, order: 2048, phase: 'mitigation', data: { fixed: true } });
    const agent = new Client({ connectionString: url });
    await agent.connect();
    await agent.query('BEGIN');
    await agent.query(`UPDATE sessions SET status = 'expired' WHERE id = '${session?.id}'`);
    const archiving = archiveRun(two, fix);
    await untilSomebodyWaits(one);
    await agent.query('COMMIT');
    await agent.end();
    expect(await archiving).toMatchObject({ disposition: 'inserted', session: { state: 'completed' } });
    expect(await listSessions(one, customerId)).toMatchObject([
      { id: session?.id, status: 'expired' },
      { status: 'completed', outcome: 'fixed' },
    ]);
    expect(await countRows(one, 'mitigation_executions', customerId)).toBe(1);
  });
});

describe('archiveRun, cut off', () => {
  // Lock, state, repository, run.
  test.each(range(4))('before statement %i leaves nothing, and then everything', async (statement) => {
    const { customerId } = await makeCustomer(one);
    const run = makeRun({
      customerId,
      order: 1024,
      phase: 'mitigation',
      data: { fixed: true },
      repository: repository(`cut-${statement}`),
    });
    await expect(archiveRun(cutBefore(one, statement), run)).rejects.toMatchObject({ kind: 'unavailable' });
    for (const table of ['repositories', 'sessions', 'mitigation_executions', 'audit_events'])
      expect([table, await countRows(one, table, customerId)]).toEqual([table, 0]);
    expect(await archiveRun(one, run)).toMatchObject({ disposition: 'inserted' });
    expect(await countRows(one, 'session_transitions', customerId)).toBe(3);
  });

  test('makes no more than four statements', async () => {
    const { customerId } = await makeCustomer(one);
    const run = makeRun({ customerId, order: 1024, repository: repository('whole') });
    expect(await archiveRun(cutBefore(one, 4), run)).toMatchObject({ disposition: 'inserted' });
  });
});

test.each([
  ['fails', sql.unsafe`SELECT 1 / 0`, 'division by zero'],
  ['succeeds', sql.unsafe`SELECT 1`, 'await it first'],
])(
  'beside a statement that %s no other of its transaction is carried out, then or after its end',
  async (_, first, why) => {
    const { customerId } = await makeCustomer(one);
    const audit = sql.unsafe`INSERT INTO audit_events (customer_id, event_type) VALUES (${customerId}, 'test')`;
    const together = one.transaction((transaction) =>
      Promise.all([transaction.query(first), transaction.query(audit), transaction.query(audit)]),
    );
    await expect(together).rejects.toThrow(why);
    await one.transaction((transaction) => transaction.query(sql.unsafe`LOCK TABLE audit_events`));
    expect(await countRows(one, 'audit_events', customerId)).toBe(0);
  },
);

/** A pool whose transactions lose their server process before their nth statement. */
function cutBefore(pool: Connection, nth: number): Connection {
  return {
    ...pool,
    transaction: (body) =>
      pool.transaction((transaction) => {
        let statements = 0;
        const cut = async () => {
          if (statements === nth)
            await transaction.query(sql.unsafe`SELECT pg_terminate_backend(pg_backend_pid())`);
          statements += 1;
        };
        return body({
          ...transaction,
          any: async (query) => {
            await cut();
            return transaction.any(query);
          },
          one: async (query) => {
            await cut();
            return transaction.one(query);
          },
          maybeOne: async (query) => {
            await cut();
            return transaction.maybeOne(query);
          },
          query: async (query) => {
            await cut();
            return transaction.query(query);
          },
        });
      }),
  };
}

async function untilSomebodyWaits(pool: Connection): Promise<void> {
  for (;;) {
    const { rowCount } = await pool.query(sql.unsafe`SELECT FROM pg_locks WHERE NOT granted`);
    if (rowCount > 0) return;
  }
}
