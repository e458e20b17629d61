import { randomBytes } from 'node:crypto';
import { Client } from 'pg';
import { afterAll, expect, inject, test } from 'vitest';
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
  const name = `migrate_${randomBytes(6).toString('hex')}`;
  await admin.query(`CREATE DATABASE ${name}`);
  created.push(name);
  const url = new URL(inject('postgresUrl'));
  url.pathname = `/${name}`;
  return url.href;
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
