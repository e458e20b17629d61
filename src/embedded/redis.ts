import { execFile } from 'node:child_process';
import { createConnection } from 'node:net';
import { promisify } from 'node:util';
import { findFreePort } from './free-port.ts';
import { claimDirectory, startServer } from './server-process.ts';

export interface EmbeddedRedis {
  /** `redis://127.0.0.1:<port>`. */
  readonly url: string;
  readonly pid: number;
  /** SIGKILL, as a crash would be. */
  kill(): Promise<void>;
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
  const claim = await claimDirectory(options.directory);
  const { directory } = claim;
  try {
    const port = await findFreePort();
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
    const stop = async () => {
      await server.stop();
      await claim.release();
    };
    return { url: `redis://127.0.0.1:${port}`, pid: server.pid, kill: () => server.kill(), stop };
  } catch (error) {
    await claim.release();
    throw error;
  }
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
