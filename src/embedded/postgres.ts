import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { chown, mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { findFreePort } from './free-port.ts';
import { locatePostgres, type PostgresPrograms } from './postgres-programs.ts';
import { claimDirectory, type ServerProcess, startServer } from './server-process.ts';
import { findServiceUser, type ServiceUser } from './service-user.ts';

export interface EmbeddedPostgres {
  /** Of the superuser, database `postgres`. */
  readonly url: string;
  pid(): number;
  /** SIGKILL to the postmaster, as a crash would be; {@link restart} brings it back. */
  kill(): Promise<void>;
  /** Ends the server if it runs, and starts it on the same port. */
  restart(): Promise<void>;
  /** Ends the server, cutting off whoever is connected, and frees the directory; what was stored stays. */
  stop(): Promise<void>;
}

export interface StartPostgresOptions {
  /** Holds data, password and log; a second start on it finds what the first one stored. */
  readonly directory: string;
  /** Taken if free. */
  readonly port?: number;
  /** Whether a commit outlives a power cut, and not SIGKILL alone; false is faster, for tests. Default true. */
  readonly durable?: boolean;
}

/**
 * A Postgres on loopback, UTF-8, sorted by code point, with a password of its own.
 * @throws DirectoryInUseError, ServerStartError; PostgresNotInstalledError when the programs are missing.
 */
export async function startPostgres(options: StartPostgresOptions): Promise<EmbeddedPostgres> {
  const programs = await locatePostgres();
  const user = await findServiceUser();
  const claim = await claimDirectory(options.directory);
  const { directory } = claim;
  try {
    const password = await ensureDatabase(directory, programs, user);
    const port = await findFreePort(options.port);
    const start = () =>
      startPostmaster({ directory, durable: options.durable ?? true, port, programs, user });
    let running = await start();
    return {
      url: `postgres://postgres:${password}@127.0.0.1:${port}/postgres`,
      pid: () => running.pid,
      kill: () => running.kill(),
      restart: async () => {
        await running.stop('SIGINT');
        running = await start();
      },
      stop: async () => {
        await running.stop('SIGINT');
        await claim.release();
      },
    };
  } catch (error) {
    await claim.release();
    throw error;
  }
}

/** Runs initdb where that has not been done to its end; answers the superuser's password. */
async function ensureDatabase(
  directory: string,
  programs: PostgresPrograms,
  user: ServiceUser | undefined,
): Promise<string> {
  const passwordFile = join(directory, 'password');
  const known = await readFile(passwordFile, 'utf8').catch(() => undefined);
  if (known !== undefined) return known.trim();
  const password = randomBytes(24).toString('hex');
  await initialise(directory, password, programs, user);
  // Written last: while it is missing, whatever lies in `data` is half made.
  await writeFile(`${passwordFile}.part`, password, { mode: 0o600 });
  await rename(`${passwordFile}.part`, passwordFile);
  return password;
}

async function initialise(
  directory: string,
  password: string,
  { initdb }: PostgresPrograms,
  user: ServiceUser | undefined,
): Promise<void> {
  const data = join(directory, 'data');
  const passwordDraft = join(directory, 'password.initdb');
  await rm(data, { recursive: true, force: true });
  await mkdir(data, { mode: 0o700 });
  await writeFile(passwordDraft, password, { mode: 0o600 });
  if (user !== undefined)
    await Promise.all([data, passwordDraft].map((path) => chown(path, user.uid, user.gid)));
  const args = [
    `--pgdata=${data}`,
    '--username=postgres',
    '--auth=scram-sha-256',
    `--pwfile=${passwordDraft}`,
    '--encoding=UTF8',
    '--locale=C',
    '--locale-provider=builtin',
    '--builtin-locale=C.UTF-8',
    // `durable` speaks of what is stored later; a machine that stops now starts over.
    '--no-sync',
  ];
  await promisify(execFile)(initdb, args, { cwd: data, ...user });
  await rm(passwordDraft);
}

interface PostmasterSettings extends Required<StartPostgresOptions> {
  readonly programs: PostgresPrograms;
  readonly user: ServiceUser | undefined;
}

async function startPostmaster({
  directory,
  port,
  durable,
  programs,
  user,
}: PostmasterSettings): Promise<ServerProcess> {
  const data = join(directory, 'data');
  const statusFile = join(data, 'postmaster.pid');
  // A crash leaves the file behind, and its pid may by now be another program's, at which Postgres would
  // refuse to start. The directory is ours and its server has ended, so the file means nothing.
  await rm(statusFile, { force: true });
  const settings = [
    'listen_addresses=127.0.0.1',
    `port=${port}`,
    'unix_socket_directories=',
    'max_connections=200',
    'timezone=UTC',
    'log_timezone=UTC',
    ...(durable ? [] : ['fsync=off', 'full_page_writes=off']),
  ];
  return startServer({
    name: 'postgres',
    directory,
    program: programs.postgres,
    args: ['-D', data, ...settings.flatMap((setting) => ['-c', setting])],
    ...(user !== undefined && { user }),
    orphanSignal: 'INT',
    isReady: async () => {
      // Line 8 of postmaster.pid: what pg_ctl goes by (src/include/utils/pidfile.h).
      const lines = (await readFile(statusFile, 'utf8').catch(() => '')).split('\n');
      return lines[7]?.trim() === 'ready';
    },
  });
}
