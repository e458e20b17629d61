import { randomBytes } from 'node:crypto';
import { Client } from 'pg';
import { afterAll, expect, inject, test } from 'vitest';
import type { DatabaseError } from '../../../src/store/errors.ts';
import { currentIncarnation } from '../../../src/store/incarnation.ts';
import { DatabaseNewerError, listPendingMigrations, migrate } from '../../../src/store/migrate.ts';
import { openDatabase } from './builders.ts';

const admin = new Client({ connectionString: inject('postgresUrl') });
await admin.connect();
const created: string[] = [];
afterAll(async () => {
  for (const name of created) await admin.query(`DROP DATABASE ${name}`);
  await admin.end();
});

async function emptyDatabase(): Promise<string> {
  const { url, create } = futureDatabase();
  await create();
  return url;
}

function futureDatabase() {
  const name = `migrate_${randomBytes(6).toString('hex')}`;
  const url = new URL(inject('postgresUrl'));
  url.pathname = `/${name}`;
  const create = async () => {
    await admin.query(`CREATE DATABASE ${name}`);
    created.push(name);
  };
  return { url: url.href, create };
}

test('several at once migrate once, and then nothing is pending', async () => {
  const url = await emptyDatabase();
  const database = await openDatabase(url);
  const pending = await listPendingMigrations(database.pool);
  expect(pending).toContain('0001_spine');
  const applied = await Promise.all([migrate(url), migrate(url), migrate(url)]);
  expect(applied.toSorted((a, b) => b.length - a.length)).toEqual([pending, [], []]);
  expect(await migrate(url)).toEqual([]);
  expect(await listPendingMigrations(database.pool)).toEqual([]);
  await database.close();
});

test('payloads are compressed with lz4 where the server has it', async () => {
  const url = await emptyDatabase();
  await migrate(url);
  const client = new Client({ connectionString: url });
  await client.connect();
  const { rows } = await client.query(`
    SELECT attrelid::regclass::text AS table, attcompression AS method
    FROM pg_attribute
    WHERE attname = 'data' AND attrelid::regclass::text ~ '(_executions|payloads)$' AND attcompression <> ''
    ORDER BY 1
  `);
  const has = await client.query(
    `SELECT FROM pg_settings WHERE name = 'default_toast_compression' AND 'lz4' = ANY(enumvals)`,
  );
  await client.end();
  const tables = ['mitigation_executions', 'payloads', 'scan_executions', 'validation_executions'];
  expect(rows).toEqual(has.rowCount === 1 ? tables.map((table) => ({ table, method: 'l' })) : []);
});

test('a database of a later version is refused by name', async () => {
  const url = await emptyDatabase();
  await migrate(url);
  const client = new Client({ connectionString: url });
  await client.connect();
  await client.query(`INSERT INTO schema_migrations (name, run_on) VALUES ('9999_later', now())`);
  await client.end();
  await expect(migrate(url)).rejects.toThrow(DatabaseNewerError);
  await expect(migrate(url)).rejects.toThrow(/9999_later/);
  const database = await openDatabase(url);
  await expect(listPendingMigrations(database.pool)).rejects.toThrow(DatabaseNewerError);
  await database.close();
});

test('a server that is not there is unavailable', async () => {
  const url = new URL(inject('postgresUrl'));
  url.pathname = '/nowhere';
  await expect(migrate(url.href)).rejects.toMatchObject({ kind: 'unavailable', sqlstate: '3D000' });
});

test('whoever waits for a server is let in once it lets anybody in', async () => {
  const { url, create } = futureDatabase();
  const refusals: (string | undefined)[] = [];
  let creating: Promise<void> | undefined;
  const onWait = ({ sqlstate }: DatabaseError) => {
    refusals.push(sqlstate);
    creating ??= create();
  };
  expect(await migrate(url, { waitMs: 60_000, onWait })).toContain('0001_spine');
  expect(refusals[0]).toBe('3D000');
  await creating;
});

test('each database has an incarnation of its own, which stays', async () => {
  const incarnations = await Promise.all(
    [await emptyDatabase(), await emptyDatabase()].map(async (url) => {
      await migrate(url);
      const database = await openDatabase(url);
      const [first, second] = [
        await currentIncarnation(database.pool),
        await currentIncarnation(database.pool),
      ];
      await database.close();
      expect(first).toBe(second);
      return first;
    }),
  );
  expect(new Set(incarnations).size).toBe(2);
});
