import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type DevFile, readDevFile } from '../src/cli/dev-file.ts';
import { findFreePort } from '../src/embedded/free-port.ts';
import { startServer } from '../src/embedded/server-process.ts';

const MAIN = fileURLToPath(new URL('../src/main.ts', import.meta.url));

/** `dev` in a process of its own, ready to be asked. */
export interface DevProcess {
  readonly file: DevFile;
  stop(): Promise<void>;
}

/**
 * Starts `dev` on free ports, with its data and log in the directory.
 * @param environment in addition to that of this process
 */
export async function startDevProcess(
  directory: string,
  environment: Readonly<Record<string, string>>,
): Promise<DevProcess> {
  const dataDirectory = join(directory, 'dev');
  const ports = [`--port=${await findFreePort()}`, `--metrics-port=${await findFreePort()}`];
  const settings = Object.entries(environment).map(([name, value]) => `${name}=${value}`);
  const server = await startServer({
    name: 'dev',
    directory,
    program: '/usr/bin/env',
    args: [...settings, process.execPath, MAIN, 'dev', ...ports, `--data-dir=${dataDirectory}`],
    orphanSignal: 'INT',
    isReady: async () => (await readDevFile(dataDirectory)) !== undefined,
  });
  const file = await readDevFile(dataDirectory);
  if (file === undefined) throw new Error('dev did not say how to reach it');
  return { file, stop: () => server.stop() };
}
