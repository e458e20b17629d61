import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir, readdir, readFile, rename, rm } from 'node:fs/promises';
import { homedir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { formatElapsed } from '../../src/embedded/format-elapsed.ts';
import type { Role } from './role-process.ts';
import type { PrepareOptions } from './section.ts';
import { TWIN_RUNS } from './twin-kind.ts';

const exec = promisify(execFile);

const MODULE = fileURLToPath(new URL('plain-operator', import.meta.url));

const REPORT_EVERY_MS = 10_000;

/**
 * The operator in Go that ours is compared with, which takes up the twin kind. It is built where the cache does not have it
 * from these sources: minutes the first time, seconds for a change.
 * @throws Error when there is no Go, or too old a one, or the build fails
 */
export async function preparePlainOperator(options: PrepareOptions): Promise<Role> {
  const program = join(cacheDirectory(), await digestSources());
  if (!existsSync(program)) {
    await requireGo();
    await build(program, options);
  }
  return {
    name: 'plain-operator',
    command: () => [program, '--group', TWIN_RUNS.group],
    portVariable: 'PORT',
    path: '/readyz',
    shows: /^ok$/,
  };
}

function cacheDirectory(): string {
  return join(process.env['XDG_CACHE_HOME'] ?? join(homedir(), '.cache'), 'phaserun', 'plain-operator');
}

/** Of all that the program is made of. */
async function digestSources(): Promise<string> {
  const names = (await readdir(MODULE)).filter((name) => /^go\.(mod|sum)$|\.go$/.test(name));
  const hash = createHash('sha256');
  for (const name of names.toSorted()) {
    const source = await readFile(join(MODULE, name));
    hash.update(`${name} ${source.length}\n`).update(source);
  }
  return hash.digest('hex').slice(0, 12);
}

/** Inside the module Go refuses to say anything when it is older than the module asks for. */
async function requireGo(): Promise<void> {
  await exec('go', ['env', 'GOVERSION'], { cwd: MODULE }).catch((cause: unknown) => {
    throw new Error(
      'the section plain-operator is built with Go 1.26 or newer: install it (https://go.dev/doc/install), or choose other sections with --only',
      { cause },
    );
  });
}

/** It appears under its name only when it is whole. */
async function build(program: string, { onProgress, signal }: PrepareOptions): Promise<void> {
  const startedAt = performance.now();
  const elapsed = () => formatElapsed(performance.now() - startedAt);
  const report = () => onProgress(`building the operator through Go, once for its sources (${elapsed()})`);
  report();
  const timer = setInterval(report, REPORT_EVERY_MS);
  const unfinished = `${program}.${process.pid}`;
  await mkdir(dirname(program), { recursive: true });
  try {
    await exec('env', [...GO_BUILD, '-o', unfinished, '.'], { cwd: MODULE, killSignal: 'SIGINT', signal });
    await rename(unfinished, program);
    onProgress(`built the operator in ${elapsed()}`);
  } catch (cause) {
    signal.throwIfAborted();
    const output = cause instanceof Error && 'stderr' in cause ? String(cause.stderr).trimEnd() : '';
    throw new Error(`go build failed:\n${output.slice(-2_000)}`, { cause });
  } finally {
    clearInterval(timer);
    await rm(unfinished, { force: true });
  }
}

/** The arguments of env(1). */
const GO_BUILD = [
  'CGO_ENABLED=0',
  'GOWORK=off',
  'go',
  'build',
  '-mod=readonly',
  '-buildvcs=false',
  '-trimpath',
  '-ldflags=-s -w',
];
