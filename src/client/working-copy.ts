import { execFile } from 'node:child_process';
import { access, realpath } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);

/** The commit that the working directory is at; undefined without git or outside a repository. */
export async function currentCommit(): Promise<string | undefined> {
  try {
    const { stdout } = await run('git', ['rev-parse', 'HEAD']);
    return stdout.trim();
  } catch {
    return undefined;
  }
}

/** Nothing that lies in the folder is to be run, and whoever owns it may ask what is tracked, as in a container of a job. */
const ASKING = ['-c', 'safe.bareRepository=explicit', '-c', 'core.fsmonitor=false', '-c', 'safe.directory=*'];
const OUTPUT_LIMIT = 64 * 1024 * 1024;

/**
 * Names of the files in a folder that git tracks: they came with a checkout, and so from whoever may push.
 * @throws when the folder is in a working copy and git does not say
 */
export async function trackedIn(folder: string): Promise<ReadonlySet<string>> {
  const path = await realpath(folder);
  if (!(await isInWorkingCopy(path))) return new Set();
  const { stdout } = await run('git', [...ASKING, 'ls-files', '-z'], { cwd: path, maxBuffer: OUTPUT_LIMIT });
  return new Set(stdout.split('\0'));
}

async function isInWorkingCopy(path: string): Promise<boolean> {
  const isRoot = await access(join(path, '.git')).then(
    () => true,
    () => false,
  );
  if (isRoot) return true;
  const parent = dirname(path);
  return parent !== path && isInWorkingCopy(parent);
}
