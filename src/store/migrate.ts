import { readdir } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { Client } from 'pg';
import { sql } from 'slonik';
import { z } from 'zod';
import { packageFile } from '../package-file.ts';
import type { Connection } from './database.ts';
import { DatabaseError, toDatabaseError } from './errors.ts';

/** The SQL files lie in the source alone, also in a release. */
const DIRECTORY = packageFile('src/store/migrations');
const MIGRATIONS_TABLE = 'schema_migrations';
const CONNECT_TIMEOUT_MS = 5000;
const CONNECT_AGAIN_MS = 500;
const TABLE_EXISTS = `SELECT to_regclass('${MIGRATIONS_TABLE}') IS NOT NULL AS exists`;

/** The database has been migrated by a later version of the program. */
export class DatabaseNewerError extends Error {
  override readonly name = 'DatabaseNewerError';
  readonly unknown: readonly string[];

  constructor(unknown: readonly string[]) {
    super(
      `the database is newer than this program, which does not know ${unknown.join(', ')}: ` +
        'run the version that migrated it, or a later one',
    );
    this.unknown = unknown;
  }
}

export interface MigrateOptions {
  readonly logger?: { info(fields: object, message: string): void };
  /** How long to wait for a server that does not let us in yet; default: not at all. */
  readonly waitMs?: number;
  /** Told why, each time that it did not. */
  readonly onWait?: (error: DatabaseError) => void;
}

/**
 * Brings the schema up to date, all in one transaction. Of several who try at once, one does it and the others
 * wait for it and find it done.
 * @returns the names of the migrations that were applied, in order
 * @throws DatabaseNewerError, DatabaseError
 */
export async function migrate(
  databaseUrl: string,
  { logger, ...waiting }: MigrateOptions = {},
): Promise<readonly string[]> {
  const client = await connect(databaseUrl, waiting);
  try {
    await refuseNewer(client);
    // Loaded here, since every process looks for pending migrations and one applies them.
    const { runner } = await import('node-pg-migrate');
    const applied = await runner({
      dbClient: client,
      dir: DIRECTORY,
      direction: 'up',
      migrationsTable: MIGRATIONS_TABLE,
      advisoryLockMode: 'wait',
      singleTransaction: true,
      log: () => undefined,
    });
    const names = applied.map(({ name }) => name);
    if (names.length > 0) logger?.info({ migrations: names }, 'database migrated');
    return names;
  } catch (error) {
    throw error instanceof DatabaseNewerError ? error : toDatabaseError(error);
  } finally {
    await client.end();
  }
}

async function connect(
  databaseUrl: string,
  { waitMs = 0, onWait }: Pick<MigrateOptions, 'waitMs' | 'onWait'>,
): Promise<Client> {
  const endsAt = Date.now() + waitMs;
  for (;;) {
    const client = new Client({
      connectionString: databaseUrl,
      application_name: 'phaserun-migrate',
      connectionTimeoutMillis: CONNECT_TIMEOUT_MS,
    });
    client.on('error', () => undefined);
    try {
      await client.connect();
      return client;
    } catch (cause) {
      const error = new DatabaseError('unavailable', toDatabaseError(cause).sqlstate, cause);
      if (Date.now() >= endsAt) throw error;
      onWait?.(error);
      await sleep(CONNECT_AGAIN_MS);
    }
  }
}

/**
 * The migrations that this program wants and the database lacks; the program is ready when there are none.
 * @throws DatabaseNewerError, DatabaseError
 */
export async function listPendingMigrations(connection: Connection): Promise<readonly string[]> {
  const table = await connection.one(sql.prepared('find_migrations_table', z.object({ exists: z.boolean() }))`
    SELECT to_regclass('schema_migrations') IS NOT NULL AS exists
  `);
  const applied = table.exists
    ? await connection.any(sql.prepared('list_applied_migrations', z.object({ name: z.string() }))`
        SELECT name FROM schema_migrations ORDER BY name
      `)
    : [];
  return pendingOf(applied);
}

async function refuseNewer(client: Client): Promise<void> {
  const { rows: tables } = await client.query<{ exists: boolean }>(TABLE_EXISTS);
  if (tables[0]?.exists !== true) return;
  const { rows } = await client.query<{ name: string }>(`SELECT name FROM ${MIGRATIONS_TABLE}`);
  await pendingOf(rows);
}

async function pendingOf(applied: readonly { readonly name: string }[]): Promise<string[]> {
  const wanted = await listMigrations();
  const names = applied.map(({ name }) => name);
  const unknown = names.filter((name) => !wanted.includes(name));
  if (unknown.length > 0) throw new DatabaseNewerError(unknown);
  return wanted.filter((name) => !names.includes(name));
}

async function listMigrations(): Promise<string[]> {
  const files = await readdir(DIRECTORY);
  return files
    .filter((file) => file.endsWith('.sql'))
    .map((file) => file.slice(0, -'.sql'.length))
    .toSorted();
}
