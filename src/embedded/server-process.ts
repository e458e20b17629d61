import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { open, readFile, rename } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { writeIdentity } from './directory-lock.ts';
import { identifyProcess } from './process-identity.ts';

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

/**
 * Starts a server and waits until it is ready. It is in a session of its own, so that Ctrl-C reaches this process alone.
 * @throws ServerStartError when it ends or is not ready in time; it does not run on then.
 */
export async function startServer(command: ServerCommand): Promise<ServerProcess> {
  const { child, exited } = await spawnServer(command);
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
}: ServerCommand): Promise<{ child: ChildProcess; exited: Promise<void> }> {
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
    const exited = new Promise<void>((resolve) => {
      child.once('exit', () => {
        child.stdin?.destroy();
        resolve();
      });
    });
    await once(child, 'spawn');
    return { child, exited };
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
