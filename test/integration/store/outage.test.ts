import { createServer } from 'node:net';
import { sql } from 'slonik';
import { afterAll, describe, expect, test, vi } from 'vitest';
import { z } from 'zod';
import { findFreePort } from '../../../src/embedded/free-port.ts';
import { archiveRun } from '../../../src/store/archive.ts';
import { createCommittedRunsListener } from '../../../src/store/committed-runs-listener.ts';
import { listCustomers } from '../../../src/store/customers.ts';
import { makeCustomer, makeRun, openDatabase, silent } from './builders.ts';
import { ownPostgres } from './own-postgres.ts';

const postgres = await ownPostgres();
const database = await openDatabase(postgres.url, 3);
const { pool } = database;
afterAll(() => database.close());

const eventually = { timeout: 20_000, interval: 50 };
const unavailable = expect.objectContaining({ name: 'DatabaseError', kind: 'unavailable' });

async function settled<T>(promises: readonly Promise<T>[]) {
  return (await Promise.allSettled(promises)).map((each) =>
    each.status === 'rejected' ? each.reason : 'ok',
  );
}

describe('createDatabase', () => {
  test('without a URL says disabled, and every query is unavailable', async () => {
    const disabled = await openDatabase(undefined);
    expect(disabled.state()).toBe('disabled');
    expect(await disabled.ping()).toBe(false);
    await expect(listCustomers(disabled.pool)).rejects.toEqual(unavailable);
    expect(disabled.state()).toBe('disabled');
    await disabled.close();
  });

  test('starts while nothing listens, and fails every caller at once, those in the queue too', async () => {
    const port = await findFreePort();
    const away = await openDatabase(`postgres://someone:secret@127.0.0.1:${port}/nowhere`, 2);
    expect(away.state()).toBe('disconnected');
    const results = await settled(Array.from({ length: 40 }, () => listCustomers(away.pool)));
    expect(results).toEqual(Array.from({ length: 40 }, () => unavailable));
    await expect(away.pool.transaction((inner) => listCustomers(inner))).rejects.toEqual(unavailable);
    expect(away.state()).toBe('disconnected');
    expect(away.connections()).toEqual({ inUse: 0, idle: 0, waiting: 0 });
    await away.close();
  });

  test('fails every caller of a server that accepts and never answers', async () => {
    const mute = createServer((socket) => socket.resume());
    const port = await findFreePort();
    await new Promise<void>((resolve) => mute.listen(port, '127.0.0.1', resolve));
    const away = await openDatabase(`postgres://someone:secret@127.0.0.1:${port}/nowhere`, 2);
    const results = await settled(Array.from({ length: 20 }, () => listCustomers(away.pool)));
    expect(results).toEqual(Array.from({ length: 20 }, () => unavailable));
    await away.close();
    await new Promise((resolve) => mute.close(resolve));
  });

  test('survives a crash of the server in the middle of queries, and recovers by itself', async () => {
    expect(await database.ping()).toBe(true);
    expect(database.state()).toBe('connected');
    const sleepy = () => pool.query(sql.unsafe`SELECT pg_sleep(30)`);
    const open = pool.transaction(async (inner) => inner.query(sql.unsafe`SELECT pg_sleep(30)`));
    const inFlight = settled([sleepy(), sleepy(), open, sleepy(), sleepy()]);
    await vi.waitFor(
      () => expect(database.connections()).toMatchObject({ inUse: 3, waiting: 2 }),
      eventually,
    );
    await postgres.kill();
    expect(await inFlight).toEqual(Array.from({ length: 5 }, () => unavailable));
    expect(database.state()).toBe('disconnected');
    await expect(database.reach()).rejects.toEqual(unavailable);
    await postgres.restart();
    await vi.waitFor(() => database.reach(), eventually);
    expect(database.state()).toBe('connected');
    expect(await settled(Array.from({ length: 20 }, () => listCustomers(pool)))).toEqual(
      Array.from({ length: 20 }, () => 'ok'),
    );
  });

  test('an idle connection that the server ends is replaced', async () => {
    await Promise.all(Array.from({ length: 3 }, () => database.ping()));
    const other = await openDatabase(postgres.url, 1);
    await other.pool.query(sql.unsafe`
      SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid() AND backend_type = 'client backend'
    `);
    await other.close();
    await vi.waitFor(async () => expect(await database.ping()).toBe(true), eventually);
    expect(database.state()).toBe('connected');
  });
});

describe('committed runs listener', () => {
  test('hears, across a restart of Postgres, of the runs it was asked for', async () => {
    const listener = createCommittedRunsListener({
      url: postgres.url,
      pool,
      applicationName: 'listener-test',
      logger: silent,
    });
    const { customerId } = await makeCustomer(pool);
    const waitFor = (run: ReturnType<typeof makeRun>) =>
      listener.waitFor(run.runId, { sha256: run.sha256, status: run.status, timeoutMs: 30_000 });

    const before = makeRun({ customerId, order: 1024, data: { n: 1 } });
    const heardBefore = waitFor(before);
    await archiveRun(pool, before);
    // Heard, or looked up if the listener was not there yet: then it says `unchanged`.
    expect(await heardBefore).toMatchObject({ runId: before.runId, executionId: before.runId });

    const during = makeRun({ customerId, order: 2048, data: { n: 2 } });
    const heardDuring = waitFor(during);
    await postgres.restart();
    await vi.waitFor(() => archiveRun(pool, during), eventually);
    expect(await heardDuring).toMatchObject({ runId: during.runId, executionId: during.runId });

    await vi.waitFor(async () => {
      const listening = await pool.any(sql.type(z.object({ pid: z.number() }))`
        SELECT pid FROM pg_stat_activity WHERE application_name = 'listener-test' AND query LIKE 'LISTEN%'
      `);
      expect(listening).toHaveLength(1);
    }, eventually);
    const after = makeRun({ customerId, order: 3072, data: { n: 3 } });
    const heardAfter = waitFor(after);
    await archiveRun(pool, after);
    expect(await heardAfter).toMatchObject({ runId: after.runId, disposition: 'inserted' });
    await listener.close();
  });
});
