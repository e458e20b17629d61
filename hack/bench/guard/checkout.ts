import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, readFile, rm, symlink } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { THIS_PRODUCT } from '../stack.ts';
import { NotComparableError } from './not-comparable.ts';

const exec = promisify(execFile);

const INSTALL = ['ci', '--no-audit', '--no-fund', '--loglevel=error'];

/**
 * Lays out the sources of a commit, with its packages, for as long as the work takes.
 * @throws NotComparableError when this clone does not have the commit
 */
export async function withCheckout<T>(
  commit: string,
  signal: AbortSignal,
  work: (directory: string) => Promise<T>,
): Promise<T> {
  await requireCommit(commit);
  const directory = await mkdtemp(join(tmpdir(), 'phaserun-before-'));
  try {
    const archive = join(directory, 'sources.tar');
    const sources = join(directory, 'sources');
    await mkdir(sources);
    await exec('git', ['archive', '--output', archive, commit], { cwd: THIS_PRODUCT, signal });
    await exec('tar', ['-x', '-f', archive, '-C', sources], { signal });
    await installPackages(sources, signal);
    return await work(sources);
  } finally {
    await rm(directory, { recursive: true });
  }
}

async function requireCommit(commit: string): Promise<void> {
  const git = async (...args: readonly string[]) =>
    (await exec('git', [...args], { cwd: THIS_PRODUCT })).stdout.trim();
  try {
    await git('cat-file', '-e', `${commit}^{commit}`);
  } catch {
    const isShallow = await git('rev-parse', '--is-shallow-repository').catch(() => 'no repository');
    const why = { true: 'this clone is too shallow', false: 'the repository does not have it' }[isShallow];
    throw new NotComparableError(`there is no ${commit}: ${why ?? isShallow}`);
  }
}

/** Those of this checkout, where they are the same. */
async function installPackages(sources: string, signal: AbortSignal): Promise<void> {
  const [theirs, ours] = await Promise.all(
    [sources, THIS_PRODUCT].map((directory) => readFile(join(directory, 'package-lock.json'), 'utf8')),
  );
  if (theirs === ours) await symlink(join(THIS_PRODUCT, 'node_modules'), join(sources, 'node_modules'));
  else await exec('npm', INSTALL, { cwd: sources, signal });
}
