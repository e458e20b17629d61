import { spawn } from 'node:child_process';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import { runLog } from '../../fixtures/run-log/of-test.ts';

export interface CliResult {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface CliOptions {
  /** The whole environment of the process, but for PATH. */
  readonly env?: Readonly<Record<string, string>>;
  readonly cwd?: string;
  readonly stdin?: string | Uint8Array;
  /** The process is killed where it is once this resolves. */
  readonly killWhen?: Promise<unknown>;
}

const MAIN = fileURLToPath(new URL('../../../src/main.ts', import.meta.url));

/** Runs the program as a user does, in a process of its own, to its end. */
export async function runCli(args: readonly string[], options: CliOptions = {}): Promise<CliResult> {
  const child = spawn(process.execPath, [MAIN, ...args], {
    cwd: options.cwd,
    env: { PATH: process.env['PATH'], LOG_LEVEL: 'debug', ...options.env },
  });
  child.stdin.on('error', () => {
    // The program may end without having read its input.
  });
  child.stdin.end(options.stdin ?? '');
  void options.killWhen?.then(() => child.kill('SIGKILL'));
  const ended = new Promise<number | null>((resolve, reject) => {
    child.on('error', reject).on('close', resolve);
  });
  const [code, stdout, stderr] = await Promise.all([ended, text(child.stdout), text(child.stderr)]);
  runLog().addEnvironment(options.env ?? {});
  // What a command prints is for its caller, who may be given a key; what it logs, and says beside, is not.
  runLog().writer(`cli-${args[0] ?? ''}`)(`${stderr}\n${logLinesOf(stdout)}`);
  return { code, stdout, stderr };
}

function logLinesOf(stdout: string): string {
  return stdout
    .split('\n')
    .filter((line) => line.startsWith('{"level":'))
    .join('\n');
}
