import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { findFreePort } from './free-port.ts';

/**
 * The port that this directory's server had last time, so that what people copied elsewhere stays good; another,
 * kept for the next time, where somebody else listens there.
 */
export async function findStablePort(directory: string, server: string): Promise<number> {
  const file = join(directory, `${server}.port`);
  const last = Number(await readFile(file, 'utf8').catch(() => ''));
  const port = await findFreePort(last > 0 ? last : undefined);
  await writeFile(file, String(port));
  return port;
}
