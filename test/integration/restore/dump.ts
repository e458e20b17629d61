import { randomBytes } from 'node:crypto';
import { Client } from 'pg';
import { afterAll, inject } from 'vitest';

/** The state of a database at one moment. */
export interface Dump {
  /** Drops the database, whoever is connected, and makes it anew from this state. */
  restore(): Promise<void>;
}

/**
 * Takes the state of a database, as `pg_dump` would, which the embedded Postgres does not bring: rows, sequences and all, into a
 * database that `createdb` makes of it. As after a dump the restored database is another one of the same name.
 */
export async function dumpDatabase(url: string): Promise<Dump> {
  const name = new URL(url).pathname.slice(1);
  const copy = `dump_${randomBytes(6).toString('hex')}`;
  await onServer(async (client) => {
    // A database is copied while nobody is connected.
    await client.query(`ALTER DATABASE ${name} ALLOW_CONNECTIONS false`);
    await client.query('SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = $1', [name]);
    await client.query(`CREATE DATABASE ${copy} TEMPLATE ${name}`);
    await client.query(`ALTER DATABASE ${name} ALLOW_CONNECTIONS true`);
  });
  afterAll(() => onServer((client) => client.query(`DROP DATABASE ${copy}`)));
  return {
    restore: () =>
      onServer(async (client) => {
        await client.query(`DROP DATABASE ${name} WITH (FORCE)`);
        await client.query(`CREATE DATABASE ${name} TEMPLATE ${copy}`);
      }),
  };
}

async function onServer<T>(work: (client: Client) => Promise<T>): Promise<T> {
  const client = new Client({ connectionString: inject('postgresUrl') });
  await client.connect();
  try {
    return await work(client);
  } finally {
    await client.end();
  }
}
