import { readFile } from 'node:fs/promises';

export interface ServiceUser {
  readonly uid: number;
  readonly gid: number;
}

/**
 * Whom Postgres is run as: it refuses root. Undefined when we are not root, and it can run as we do.
 * Every system has `nobody`, so that none needs to be created.
 */
export async function findServiceUser(): Promise<ServiceUser | undefined> {
  if (process.getuid?.() !== 0) return undefined;
  const entries = (await readFile('/etc/passwd', 'utf8')).split('\n').map((line) => line.split(':'));
  const entry = entries.find(([name]) => name === 'postgres') ?? entries.find(([name]) => name === 'nobody');
  if (entry === undefined)
    throw new Error('Postgres does not run as root, and /etc/passwd names neither postgres nor nobody');
  return { uid: Number(entry[2]), gid: Number(entry[3]) };
}
