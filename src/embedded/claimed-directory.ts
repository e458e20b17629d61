import { mkdir, readdir, rm } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { lockDirectory, readIdentity } from './directory-lock.ts';
import { isRunning } from './process-identity.ts';

const STOP_TIMEOUT_MS = 10_000;

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
