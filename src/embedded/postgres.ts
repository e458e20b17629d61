import { readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { claimDirectory } from './claimed-directory.ts';
import { ensurePostgresData } from './postgres-data.ts';
import { findPostgresHome, type PostgresHome } from './postgres-home.ts';
import { type ServerProcess, startServer } from './server-process.ts';
import { findStablePort } from './stable-port.ts';

export interface EmbeddedPostgres {
  /** Of the superuser, database `postgres`. */
  readonly url: string;
  /** Where the data lies: in the directory asked for, unless we are root and Postgres' own user can not get there. */
  readonly dataDirectory: string;
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
  /** Whether a commit outlives a power cut, and not SIGKILL alone; false is faster, for tests. Default true. */
  readonly durable?: boolean;
}

/**
 * A Postgres on loopback, UTF-8, sorted by code point, with a password of its own.
 * @throws DirectoryInUseError, ServerStartError; PostgresNotInstalledError when the programs are missing.
 */
export async function startPostgres(options: StartPostgresOptions): Promise<EmbeddedPostgres> {
  await using started = new AsyncDisposableStack();
  const { directory, release } = await claimDirectory(options.directory);
  started.defer(release);
  const home = await findPostgresHome(directory);
  const password = await ensurePostgresData(directory, home);
  const port = await findStablePort(directory, 'postgres');
  const start = () => startPostmaster({ directory, durable: options.durable ?? true, port, home });
  let server = await start();
  started.defer(() => server.stop('SIGINT'));
  const running = started.move();
  return {
    url: `postgres://postgres:${password}@127.0.0.1:${port}/postgres`,
    dataDirectory: home.data,
    pid: () => server.pid,
    kill: () => server.kill(),
    restart: async () => {
      await server.stop('SIGINT');
      server = await start();
    },
    stop: () => running.disposeAsync(),
  };
}

interface PostmasterSettings extends Required<StartPostgresOptions> {
  readonly port: number;
  readonly home: PostgresHome;
}

async function startPostmaster({
  directory,
  port,
  durable,
  home,
}: PostmasterSettings): Promise<ServerProcess> {
  const statusFile = join(home.data, 'postmaster.pid');
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
    program: join(home.programs.directory, 'bin', 'postgres'),
    args: ['-D', home.data, ...settings.flatMap((setting) => ['-c', setting])],
    ...(home.user !== undefined && { user: home.user }),
    orphanSignal: 'INT',
    isReady: async () => {
      // Line 8 of postmaster.pid: what pg_ctl goes by (src/include/utils/pidfile.h).
      const lines = (await readFile(statusFile, 'utf8').catch(() => '')).split('\n');
      return lines[7]?.trim() === 'ready';
    },
  });
}
