import { randomUUID } from 'node:crypto';
import { link, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { identifyProcess, isRunning, type ProcessIdentity } from './process-identity.ts';

/** Another process, or this one by an earlier call, holds the directory. */
export class DirectoryInUseError extends Error {
  override readonly name = 'DirectoryInUseError';
  readonly code = 'DIRECTORY_IN_USE';
  readonly directory: string;
  readonly pid: number;

  constructor(directory: string, pid: number) {
    super(`${directory} is in use by process ${pid}; stop it first, or choose another folder`);
    this.directory = directory;
    this.pid = pid;
  }
}

export interface DirectoryLock {
  /** Once; later calls do nothing. */
  release(): Promise<void>;
}

/**
 * Takes an existing directory for this process. A lock whose holder has died counts for nothing.
 * @throws DirectoryInUseError naming the process that holds it.
 */
export async function lockDirectory(directory: string): Promise<DirectoryLock> {
  const path = join(directory, 'lock');
  const self = await identifyProcess(process.pid);
  if (self === undefined) throw new Error('cannot tell when this process started');
  while (!(await create(path, self))) {
    const holder = await readIdentity(path);
    if (holder !== undefined && (await isRunning(holder)))
      throw new DirectoryInUseError(directory, holder.pid);
    await discardDead(path, self);
  }
  let held = true;
  const release = async () => {
    if (held) await rm(path, { force: true });
    held = false;
  };
  return { release };
}

/** Reads what {@link writeIdentity} wrote; undefined when there is nothing of the kind. */
export async function readIdentity(path: string): Promise<ProcessIdentity | undefined> {
  return parseIdentity(await readFile(path, 'utf8').catch(() => ''));
}

function parseIdentity(text: string): ProcessIdentity | undefined {
  const [, pid, started] = /^(\d+) (.+)$/m.exec(text) ?? [];
  return pid !== undefined && started !== undefined ? { pid: Number(pid), started } : undefined;
}

export async function writeIdentity(path: string, { pid, started }: ProcessIdentity): Promise<void> {
  await writeFile(path, `${pid} ${started}\n`);
}

/** Linking is atomic and fails where something stands; a reader never sees half a lock. */
async function create(path: string, self: ProcessIdentity): Promise<boolean> {
  const draft = `${path}.${randomUUID()}`;
  await writeIdentity(draft, self);
  try {
    await link(draft, path);
    return true;
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'EEXIST') return false;
    throw error;
  } finally {
    await rm(draft, { force: true });
  }
}

/**
 * Removes the lock if its holder is dead. One process at a time looks and removes, so that nobody removes the lock of who took
 * the directory in between. Whoever dies in this very moment leaves a lock of that kind, which counts for nothing either.
 */
async function discardDead(path: string, self: ProcessIdentity): Promise<void> {
  const discarding = `${path}.discarding`;
  if (!(await create(discarding, self))) {
    if (await isDead(discarding)) await rm(discarding, { force: true });
    return sleep(DISCARDING_MS);
  }
  try {
    if (await isDead(path)) await rm(path, { force: true });
  } finally {
    await rm(discarding, { force: true });
  }
}

const DISCARDING_MS = 5;

/** Whether there is a lock, of nobody who still runs. */
async function isDead(path: string): Promise<boolean> {
  const text = await readFile(path, 'utf8').catch(() => undefined);
  if (text === undefined) return false;
  const holder = parseIdentity(text);
  return holder === undefined || !(await isRunning(holder));
}
