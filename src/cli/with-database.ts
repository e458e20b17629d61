import { loadConfig } from '../config.ts';
import { type Connection, createDatabase } from '../store/database.ts';
import { CommandFailure } from './failure.ts';

/** For the help of commands that talk to Postgres. */
export const DATABASE_ENVIRONMENT: Readonly<Record<string, string>> = {
  DATABASE_URL: 'Postgres of PhaseRun, such as postgres://user:password@localhost:5432/phaserun',
};

/** @throws {CommandFailure} when the variable is not set, saying what to set it to. */
export function requireDatabaseUrl(): string {
  const { databaseUrl } = loadConfig();
  if (databaseUrl !== undefined) return databaseUrl;
  throw new CommandFailure('DATABASE_URL is not set: this command talks to Postgres itself', {
    advice:
      'Set it to postgres://user:password@host:5432/phaserun. For the database of "npm start":\n' +
      `  export DATABASE_URL="$(node -p 'require("./.phaserun/dev.json").databaseUrl')"`,
    exitCode: 2,
  });
}

/** Runs the work on a connection of its own, and closes it. */
export async function withDatabase<T>(work: (connection: Connection) => Promise<T>): Promise<T> {
  const database = await createDatabase({
    url: requireDatabaseUrl(),
    poolMax: 1,
    applicationName: 'phaserun-cli',
    logger: { info: () => undefined, warn: () => undefined },
  });
  try {
    return await work(database.pool);
  } finally {
    await database.close();
  }
}
