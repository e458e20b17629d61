import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { chown, mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { PostgresHome } from './postgres-home.ts';

/**
 * Makes the data folder where that has not been done to its end; answers the superuser's password, which is kept in
 * `directory` for its owner alone.
 */
export async function ensurePostgresData(directory: string, home: PostgresHome): Promise<string> {
  const passwordFile = join(directory, 'password');
  const known = await readFile(passwordFile, 'utf8').catch(() => undefined);
  if (known !== undefined) return known;
  const password = randomBytes(24).toString('hex');
  await initialise(password, home);
  // Written last: while it is missing, whatever lies in the data folder is half made.
  await writeFile(`${passwordFile}.part`, password, { mode: 0o600 });
  await rename(`${passwordFile}.part`, passwordFile);
  return password;
}

async function initialise(password: string, { programs, data, user }: PostgresHome): Promise<void> {
  const passwordDraft = `${data}.password`;
  await rm(data, { recursive: true, force: true });
  await mkdir(data, { mode: 0o700 });
  await writeFile(passwordDraft, password, { mode: 0o600 });
  if (user !== undefined) {
    await chown(data, user.uid, user.gid);
    await chown(passwordDraft, user.uid, user.gid);
  }
  const args = [
    `--pgdata=${data}`,
    '--username=postgres',
    '--auth=scram-sha-256',
    `--pwfile=${passwordDraft}`,
    '--encoding=UTF8',
    '--locale=C',
    '--locale-provider=builtin',
    '--builtin-locale=C.UTF-8',
    // A machine that stops now starts over; what is stored later is another matter.
    '--no-sync',
  ];
  try {
    await promisify(execFile)(join(programs.directory, 'bin', 'initdb'), args, { cwd: '/', ...user });
  } finally {
    await rm(passwordDraft);
  }
}
