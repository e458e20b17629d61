import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, open, readdir, readFile, rename, rm } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { lockDirectory, readIdentity, writeIdentity } from './directory-lock.ts';
import { identifyProcess, isRunning } from './process-identity.ts';

export interface ServerCommand {
  /** Names the log and the pid file in the directory. */
  readonly name: string;
  readonly directory: string;
  readonly program: string;
  readonly args: readonly string[];
  /** Whom to run it as; absent: as whoever we are. */
  readonly user?: { readonly uid: number; readonly gid: number };
  /** What it is sent when this process dies without stopping it. */
  readonly orphanSignal: 'KILL' | 'INT';
  /** Asked again and again until true. */
  readonly isReady: () => Promise<boolean>;
}

export interface ServerProcess {
  readonly pid: number;
  /** Resolves when the process has ended, however that came about. */
  readonly exited: Promise<void>;
  /** Asks it to end, and kills it when it has not within ten seconds. */
  stop(signal?: 'SIGTERM' | 'SIGINT'): Promise<void>;
  /** SIGKILL, as a crash would be. */
  kill(): Promise<void>;
}

/** A server that did not come up; the message carries the end of its log. */
export class ServerStartError extends Error {
  override readonly name = 'ServerStartError';
  readonly code = 'SERVER_START_FAILED';
  readonly server: string;

  constructor(server: string, reason: string, logTail: string) {
    super(`${server} ${reason}; the end of its log:\n${logTail}`);
    this.server = server;
  }
}

const START_TIMEOUT_MS = 120_000;
const STOP_TIMEOUT_MS = 10_000;

/**
 * The program takes the shell's place, and so its pid; beside it stays a watcher on a pipe from this
 * process, which ends when this process does, SIGKILL included. The watcher is a member of the process
 * group that it then signals: while it lives the number cannot have passed to another group.
 */
const WATCHED = 'exec 3<&0; (read -r _ <&3; kill -s "$0" -- -$$) >/dev/null 2>&1 & exec "$@" </dev/null 3<&-';

/** A directory that this process alone starts servers in, until it is released. */
export interface ClaimedDirectory {
  /** Absolute. */
  readonly directory: string;
  /** Once; later calls do nothing. */
  readonly release: () => Promise<void>;
}

/**
 * Takes the directory for the servers of this process, creating it if needed, and ends those that an
 * earlier process left running in it.
 * @throws DirectoryInUseError
 */
export async function claimDirectory(path: string): Promise<ClaimedDirectory> {
  const directory = resolve(path);
  await mkdir(directory, { recursive: true });
  const lock = await lockDirectory(directory);
  try {
    const pidFiles = (await readdir(directory)).filter((name) => name.endsWith('.pid'));
    await Promise.all(pidFiles.map((name) => endLeftover(join(directory, name))));
    return { directory, release: () => lock.release() };
  } catch (error) {
    await lock.release();
    throw error;
  }
}

/**
 * Starts a server and waits until it is ready. It is in a session of its own, so that Ctrl-C reaches this process alone.
 * @throws ServerStartError when it ends or is not ready in time; it does not run on then.
 */
export async function startServer(command: ServerCommand): Promise<ServerProcess> {
  const child = await spawnServer(command);
  const exited = new Promise<void>((resolve) => {
    child.once('exit', () => {
      child.stdin?.destroy();
      resolve();
    });
  });
  const pid = child.pid;
  if (pid === undefined) throw new ServerStartError(command.name, 'could not be started', '');
  const server = handle(child, pid, exited);
  const identity = await identifyProcess(pid);
  if (identity !== undefined) await writeIdentity(join(command.directory, `${command.name}.pid`), identity);
  await waitUntilReady(command, child, server);
  return server;
}

async function spawnServer({
  name,
  directory,
  program,
  args,
  user,
  orphanSignal,
}: ServerCommand): Promise<ChildProcess> {
  const logFile = join(directory, `${name}.log`);
  await rename(logFile, join(directory, `${name}.previous.log`)).catch(() => undefined);
  const log = await open(logFile, 'w', 0o600);
  try {
    const child = spawn('/bin/sh', ['-c', WATCHED, orphanSignal, program, ...args], {
      // Where every user may be.
      cwd: '/',
      detached: true,
      stdio: ['pipe', log.fd, log.fd],
      ...user,
    });
    await once(child, 'spawn');
    return child;
  } finally {
    await log.close();
  }
}

function handle(child: ChildProcess, pid: number, exited: Promise<void>): ServerProcess {
  const kill = async () => {
    child.kill('SIGKILL');
    await exited;
  };
  const stop = async (signal: 'SIGTERM' | 'SIGINT' = 'SIGTERM') => {
    child.kill(signal);
    const timer = setTimeout(() => child.kill('SIGKILL'), STOP_TIMEOUT_MS);
    await exited;
    clearTimeout(timer);
  };
  return { pid, exited, stop, kill };
}

async function waitUntilReady(
  command: ServerCommand,
  child: ChildProcess,
  server: ServerProcess,
): Promise<void> {
  const deadline = Date.now() + START_TIMEOUT_MS;
  while (!(await command.isReady())) {
    if (child.exitCode !== null || child.signalCode !== null) {
      throw new ServerStartError(command.name, 'ended while starting', await logTail(command));
    }
    if (Date.now() > deadline) {
      await server.kill();
      throw new ServerStartError(command.name, 'did not become ready', await logTail(command));
    }
    await sleep(50);
  }
}

async function logTail({ directory, name }: ServerCommand): Promise<string> {
  const log = await readFile(join(directory, `${name}.log`), 'utf8').catch(() => '');
  return log.trimEnd().split('\n').slice(-12).join('\n');
}

async function endLeftover(pidFile: string): Promise<void> {
  const leftover = await readIdentity(pidFile);
  if (leftover !== undefined && (await isRunning(leftover))) {
    signalIfThere(leftover.pid, 'SIGINT');
    const deadline = Date.now() + STOP_TIMEOUT_MS;
    while (await isRunning(leftover)) {
      if (Date.now() > deadline) signalIfThere(leftover.pid, 'SIGKILL');
      await sleep(50);
    }
  }
  await rm(pidFile, { force: true });
}

function signalIfThere(pid: number, signal: 'SIGINT' | 'SIGKILL'): void {
  try {
    process.kill(pid, signal);
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'ESRCH')) throw error;
  }
}
