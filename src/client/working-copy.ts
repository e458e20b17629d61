import { execFile } from 'node:child_process';
import { promisify } from 'node:util';

/** The commit that the working directory is at; undefined without git or outside a repository. */
export async function currentCommit(): Promise<string | undefined> {
  try {
    const { stdout } = await promisify(execFile)('git', ['rev-parse', 'HEAD']);
    return stdout.trim();
  } catch {
    return undefined;
  }
}
