import { execFile } from 'node:child_process';
import { createHash, randomUUID } from 'node:crypto';
import { existsSync } from 'node:fs';
import { cp, mkdir, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { locatePostgres, type PostgresPrograms } from './postgres-programs.ts';
import { findServiceUser, type ServiceUser } from './service-user.ts';

/** Whose Postgres runs, from where, and on which data. */
export interface PostgresHome {
  readonly programs: PostgresPrograms;
  /** PGDATA. */
  readonly data: string;
  /** Absent: whoever we are. */
  readonly user?: ServiceUser;
}

/** Where root keeps what the service user must reach and can not reach in place, as below a home of mode 0700. */
const SHARED = '/var/lib/phaserun';

/**
 * Data lies in `directory`, programs where they were installed. Only root has to turn to another user for Postgres,
 * and only where that user can not get there do both move to /var/lib/phaserun.
 * @throws PostgresNotInstalledError
 */
export async function findPostgresHome(directory: string): Promise<PostgresHome> {
  const programs = await locatePostgres();
  const user = await findServiceUser();
  if (user === undefined) return { programs, data: join(directory, 'data') };
  return {
    programs: (await canReach(user, programs.directory)) ? programs : await sharePrograms(programs),
    data: await placeData(directory, user),
    user,
  };
}

/** Where it is already; else where the user can reach it. */
async function placeData(directory: string, user: ServiceUser): Promise<string> {
  const local = join(directory, 'data');
  const shared = join(SHARED, `data-${createHash('sha256').update(directory).digest('hex').slice(0, 16)}`);
  const present = [local, shared].find((path) => existsSync(path));
  if (present !== undefined) return present;
  if (await canReach(user, directory)) return local;
  await mkdir(SHARED, { recursive: true, mode: 0o755 });
  return shared;
}

async function canReach(user: ServiceUser, directory: string): Promise<boolean> {
  return promisify(execFile)('test', ['-x', directory], { ...user, cwd: '/' }).then(
    () => true,
    () => false,
  );
}

async function sharePrograms({ directory, version }: PostgresPrograms): Promise<PostgresPrograms> {
  const shared = join(SHARED, `postgres-${version}`);
  if (existsSync(shared)) return { directory: shared, version };
  await mkdir(SHARED, { recursive: true, mode: 0o755 });
  const draft = `${shared}.${randomUUID()}`;
  await cp(directory, draft, { recursive: true, verbatimSymlinks: true });
  // Where another start was quicker, what it made is as good.
  await rename(draft, shared).catch(() => rm(draft, { recursive: true }));
  return { directory: shared, version };
}
