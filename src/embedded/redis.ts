import { execFile } from 'node:child_process';
import { createConnection } from 'node:net';
import { promisify } from 'node:util';
import { claimDirectory } from './claimed-directory.ts';
import { startServer } from './server-process.ts';
import { findStablePort } from './stable-port.ts';

export interface EmbeddedRedis {
  /** `redis://127.0.0.1:<port>`. */
  readonly url: string;
  readonly pid: number;
  stop(): Promise<void>;
}

/** Where the machine has one, under either name. */
const PROGRAMS = ['redis-server', 'valkey-server'];

/**
 * Starts the machine's own Redis or Valkey on loopback, in memory alone: nothing that it holds is needed after a
 * restart. Undefined when the machine has neither.
 * @throws DirectoryInUseError, ServerStartError
 */
export async function startRedis(options: {
  readonly directory: string;
}): Promise<EmbeddedRedis | undefined> {
  const program = await findProgram();
  if (program === undefined) return undefined;
  await using started = new AsyncDisposableStack();
  const { directory, release } = await claimDirectory(options.directory);
  started.defer(release);
  const port = await findStablePort(directory, 'redis');
  const server = await startServer({
    name: 'redis',
    directory,
    program,
    args: [
      '--bind',
      '127.0.0.1',
      '--port',
      String(port),
      '--save',
      '',
      '--appendonly',
      'no',
      '--dir',
      directory,
    ],
    orphanSignal: 'KILL',
    isReady: () => answersPing(port),
  });
  started.defer(() => server.stop());
  const running = started.move();
  return {
    url: `redis://127.0.0.1:${port}`,
    pid: server.pid,
    stop: () => running.disposeAsync(),
  };
}

async function findProgram(): Promise<string | undefined> {
  for (const program of PROGRAMS) {
    const found = await promisify(execFile)(program, ['--version']).then(
      () => true,
      () => false,
    );
    if (found) return program;
  }
  return undefined;
}

function answersPing(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = createConnection(port, '127.0.0.1', () => socket.write('PING\r\n'));
    socket.setTimeout(1_000, () => socket.destroy());
    socket.once('data', (answer) => {
      resolve(answer.toString().startsWith('+PONG'));
      socket.destroy();
    });
    socket.once('error', () => resolve(false));
    socket.once('close', () => resolve(false));
  });
}
