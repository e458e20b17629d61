import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Client } from 'pg';
import { expect, onTestFinished, test } from 'vitest';
import { type EmbeddedPostgres, startPostgres } from '../../../src/embedded/postgres.ts';
import { temporaryDirectory } from '../../fixtures/temporary-directory.ts';

test('what was stored is there after a restart', async () => {
  const directory = await temporaryDirectory();
  const first = await start(directory);
  await query(first, 'CREATE TABLE kept AS SELECT 1 AS one');
  await first.stop();
  const second = await start(directory);
  expect(second.url).toBe(first.url);
  expect(await query(second, 'SELECT one FROM kept')).toEqual([{ one: 1 }]);
});

test('a commit outlives SIGKILL of the server, which comes back on its port', async () => {
  const postgres = await start(await temporaryDirectory());
  await query(postgres, 'CREATE TABLE kept AS SELECT 1 AS one');
  await postgres.kill();
  await expect(query(postgres, 'SELECT 1')).rejects.toMatchObject({ code: 'ECONNREFUSED' });
  await postgres.restart();
  expect(await query(postgres, 'SELECT one FROM kept')).toEqual([{ one: 1 }]);
});

test('the pid file of a crash does not stop the next start, even where its pid is taken by now', async () => {
  const directory = await temporaryDirectory();
  const first = await start(directory);
  const statusFile = join(directory, 'data', 'postmaster.pid');
  const status = await readFile(statusFile, 'utf8');
  await first.stop();
  await writeFile(statusFile, status.replace(/^\d+/, String(process.pid)));
  const second = await start(directory);
  expect(await query(second, 'SELECT 1 AS one')).toEqual([{ one: 1 }]);
});

test('a first start that was cut short is begun anew', async () => {
  const directory = await temporaryDirectory();
  await (await start(directory)).stop();
  // It is written last.
  await rm(join(directory, 'password'));
  const second = await start(directory);
  expect(await query(second, 'SELECT 1 AS one')).toEqual([{ one: 1 }]);
});

test('a second start on the same directory is refused, naming who is there', async () => {
  const directory = await temporaryDirectory();
  await start(directory);
  await expect(startPostgres({ directory })).rejects.toThrow(
    `${directory} is in use by process ${process.pid}`,
  );
});

test('it takes any text and sorts it by code point', async () => {
  const postgres = await start(await temporaryDirectory());
  const rows = await query(postgres, "SELECT x FROM unnest(ARRAY['ü', 'z', 'Z', '🦊', 'a']) AS x ORDER BY x");
  expect(rows.map((row) => row['x'])).toEqual(['Z', 'a', 'z', 'ü', '🦊']);
});

test('nobody gets in without the password', async () => {
  const postgres = await start(await temporaryDirectory());
  const url = new URL(postgres.url);
  url.password = 'guess';
  await expect(query({ url: url.href }, 'SELECT 1')).rejects.toMatchObject({ code: '28P01' });
});

test('as root, in a folder that is closed to others, it runs all the same', async ({ skip }) => {
  skip(process.getuid?.() !== 0, 'only root has to run Postgres as another user');
  const closed = join(await temporaryDirectory(), 'closed');
  await mkdir(closed, { mode: 0o700 });
  const first = await start(join(closed, 'postgres'));
  onTestFinished(() => rm(first.dataDirectory, { recursive: true }));
  await query(first, 'CREATE TABLE kept AS SELECT 1 AS one');
  await first.stop();
  const second = await start(join(closed, 'postgres'));
  expect(await query(second, 'SELECT one FROM kept')).toEqual([{ one: 1 }]);
});

async function start(directory: string): Promise<EmbeddedPostgres> {
  const postgres = await startPostgres({ directory, durable: false });
  onTestFinished(() => postgres.stop());
  return postgres;
}

async function query(
  { url }: { readonly url: string },
  statement: string,
): Promise<Record<string, unknown>[]> {
  const client = new Client({ connectionString: url });
  try {
    await client.connect();
    return (await client.query<Record<string, unknown>>(statement)).rows;
  } finally {
    await client.end();
  }
}
