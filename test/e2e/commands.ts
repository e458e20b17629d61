import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process';
import { text } from 'node:stream/consumers';

export interface CommandOptions {
  readonly stdin?: string;
  readonly timeoutMs?: number;
}

export interface CommandResult {
  readonly ok: boolean;
  readonly stdout: string;
  /** Both streams, for people. */
  readonly output: string;
}

/** Of the cluster that KUBECONFIG names. @throws {Error} with what it printed when it fails */
export function kubectl(args: readonly string[], options?: CommandOptions): Promise<string> {
  return run('kubectl', args, options);
}

/** The same, for what may be refused. */
export function tryKubectl(args: readonly string[], options?: CommandOptions): Promise<CommandResult> {
  return attempt('kubectl', args, options);
}

/** @throws {Error} with what it printed when it fails */
export function helm(args: readonly string[], options?: CommandOptions): Promise<string> {
  return run('helm', args, options);
}

/** @throws {Error} with what it printed when it fails */
export async function run(
  program: string,
  args: readonly string[],
  options?: CommandOptions,
): Promise<string> {
  const { ok, stdout, output } = await attempt(program, args, options);
  if (!ok) throw new Error(`${program} ${args.join(' ')}: ${output}`);
  return stdout;
}

async function attempt(
  program: string,
  args: readonly string[],
  { stdin = '', timeoutMs = 180_000 }: CommandOptions = {},
): Promise<CommandResult> {
  const child = spawn(program, args, { timeout: timeoutMs });
  child.stdin.on('error', () => undefined).end(stdin);
  const [stdout, stderr, code] = await Promise.all([
    text(child.stdout),
    text(child.stderr),
    new Promise<number | string | null>((resolve, reject) => {
      child.once('error', reject).once('close', (code, signal) => resolve(code ?? signal));
    }),
  ]);
  return { ok: code === 0, stdout, output: (stdout + stderr).trim() };
}

/** A command that goes on until its input ends. */
export function startKubectl(args: readonly string[]): ChildProcessWithoutNullStreams {
  return spawn('kubectl', args);
}

/** The answer of `kubectl get … -o json`. */
export async function getJson<T>(...args: readonly string[]): Promise<T> {
  return JSON.parse(await kubectl(['get', ...args, '-o', 'json'])) as T;
}
