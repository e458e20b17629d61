import { setTimeout as sleep } from 'node:timers/promises';
import { sql } from 'slonik';
import { afterAll, expect, test } from 'vitest';
import { z } from 'zod';
import { archiveRun } from '../../../src/store/archive.ts';
import type { Connection } from '../../../src/store/database.ts';
import { Leadership } from '../../../src/store/leadership.ts';
import { lockSlot } from '../../../src/store/slots.ts';
import { freshDatabase } from '../../fixtures/database.ts';
import { makeCustomer, makeRun, openDatabase } from './builders.ts';
import { countRows } from './rows.ts';

const { url } = await freshDatabase();
// Two pools, as two controllers have.
const databases = await Promise.all([openDatabase(url), openDatabase(url)]);
const [one, two] = databases.map(({ pool }) => pool) as [Connection, Connection];
afterAll(() => Promise.all(databases.map((database) => database.close())));

const soon = () => AbortSignal.timeout(20_000);
const STALE = { name: 'DatabaseError', kind: 'stale_leader' };

async function beginTerm(pool: Connection) {
  const leadership = new Leadership(pool);
  return { leadership, over: (await leadership.begin(soon())).over };
}

const countEffects = async (customerId: string) => ({
  rows: await countRows(one, 'validation_executions', customerId),
  transitions: await countRows(one, 'session_transitions', customerId),
  audited: await countRows(one, 'audit_events', customerId),
  quarantined: await countRows(one, 'quarantined_runs', customerId),
});

test('what the leader of before archives is refused, and the one that leads archives it once', async () => {
  const { customerId } = await makeCustomer(one);
  const run = makeRun({ customerId, order: 1024 });
  const before = await beginTerm(one);
  const now = await beginTerm(two);
  const archive = ({ leadership }: typeof before, pool: Connection) =>
    leadership.during((term) => archiveRun(pool, run, term));
  await expect(archive(before, one)).rejects.toMatchObject(STALE);
  expect(await countEffects(customerId)).toEqual({ rows: 0, transitions: 0, audited: 0, quarantined: 0 });
  expect(await archive(now, two)).toMatchObject({ disposition: 'inserted' });
  expect(await countEffects(customerId)).toMatchObject({ rows: 1, transitions: 2, audited: 1 });
  expect([before.over.aborted, now.over.aborted]).toEqual([true, false]);
});

test('a run that Postgres refuses is not quarantined by the leader of before', async () => {
  const { customerId } = await makeCustomer(one);
  const run = makeRun({ customerId, order: 1024, data: { bad: '\0' } });
  const termOf = ({ leadership }: Awaited<ReturnType<typeof beginTerm>>) =>
    leadership.during((term) => Promise.resolve(term));
  const before = await termOf(await beginTerm(one));
  const now = await termOf(await beginTerm(two));
  await expect(archiveRun(one, run, before)).rejects.toMatchObject(STALE);
  expect(await countEffects(customerId)).toMatchObject({ quarantined: 0 });
  expect(await archiveRun(two, run, now)).toMatchObject({ disposition: 'quarantined' });
});

test('nothing else that the leader of before writes is written', async () => {
  const before = await beginTerm(one);
  const insert = ({ connection }: Leadership, name: string) =>
    connection.query(sql.type(z.object({}))`INSERT INTO customers (name) VALUES (${name})`);
  await insert(before.leadership, 'while it leads');
  const now = await beginTerm(two);
  await expect(insert(before.leadership, 'afterwards')).rejects.toMatchObject(STALE);
  await expect(
    before.leadership.connection.transaction((transaction) => transaction.query(sql.unsafe`TABLE customers`)),
  ).rejects.toMatchObject(STALE);
  await insert(now.leadership, 'the next');
  const named = await one.any(
    sql.type(z.object({ name: z.string() }))`
      SELECT name FROM customers WHERE name IN ('while it leads', 'afterwards', 'the next') ORDER BY created_at`,
  );
  expect(named.map(({ name }) => name)).toEqual(['while it leads', 'the next']);
});

test('a controller that has never begun a term writes nothing as the leader', async () => {
  const { connection } = new Leadership(one);
  await expect(connection.query(sql.unsafe`TABLE customers`)).rejects.toMatchObject(STALE);
});

test('a transaction that ends by itself is waited for, so that nothing of before commits after a term has begun', async () => {
  const { customerId } = await makeCustomer(one);
  const before = await beginTerm(one);
  const inHand = Promise.withResolvers<void>();
  let ended = false;
  const writing = before.leadership.connection.transaction(async (transaction) => {
    inHand.resolve();
    await sleep(200);
    await transaction.query(sql.type(z.object({}))`
      INSERT INTO audit_events (customer_id, event_type) VALUES (${customerId}, 'test')
    `);
    ended = true;
  });
  await inHand.promise;
  await beginTerm(two);
  expect(ended).toBe(true);
  await writing;
  expect(await countEffects(customerId)).toMatchObject({ audited: 1 });
});

test('a frozen leader with an open transaction holds up nobody: it is ended, and wrote nothing', async () => {
  const { customerId } = await makeCustomer(one);
  const run = makeRun({ customerId, order: 1024 });
  const before = await beginTerm(one);
  const frozen = Promise.withResolvers<void>();
  const thawed = Promise.withResolvers<void>();
  const stuck = before.leadership.during(({ epoch }) =>
    one.transaction(async (transaction) => {
      await lockSlot(transaction, run, epoch);
      await transaction.query(sql.type(z.object({}))`
        INSERT INTO audit_events (customer_id, event_type) VALUES (${customerId}, 'of the frozen one')
      `);
      frozen.resolve();
      await thawed.promise;
      await transaction.query(sql.unsafe`SELECT`);
    }),
  );
  const outcome = stuck.catch((error: unknown) => error);
  await frozen.promise;
  const { leadership } = await beginTerm(two);
  expect(await leadership.during((term) => archiveRun(two, run, term))).toMatchObject({
    disposition: 'inserted',
  });
  thawed.resolve();
  expect(await outcome).toMatchObject({ kind: 'unavailable' });
  expect(await countEffects(customerId)).toMatchObject({ rows: 1, audited: 1 });
});

test('of many who begin a term at once, one leads in the end', async () => {
  const terms = await Promise.all(Array.from({ length: 8 }, (_, n) => beginTerm(n % 2 === 0 ? one : two)));
  const outcomes = await Promise.allSettled(
    terms.map(({ leadership }) => leadership.connection.query(sql.unsafe`SELECT`)),
  );
  expect(outcomes.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
  expect(terms.filter(({ over }) => over.aborted)).toHaveLength(7);
});

test('a controller of a version that knows no epoch archives on, whoever leads', async () => {
  const { customerId } = await makeCustomer(one);
  await beginTerm(two);
  const run = makeRun({ customerId, order: 1024 });
  expect(await archiveRun(one, run)).toMatchObject({ disposition: 'inserted' });
  const { leadership } = await beginTerm(two);
  expect(await leadership.during((term) => archiveRun(two, run, term))).toMatchObject({
    disposition: 'unchanged',
  });
});
