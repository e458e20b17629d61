import { fileURLToPath } from 'node:url';
import { findFreePort } from '../../src/embedded/free-port.ts';
import { startServer } from '../../src/embedded/server-process.ts';

const MAIN = fileURLToPath(new URL('../../src/main.ts', import.meta.url));

/** A role of the product in a process of its own, with the settings that it has by default. */
export interface RoleProcess {
  readonly url: string;
  /** Has it finish what is in hand and end. */
  stop(): Promise<void>;
}

export interface RoleOptions {
  /** For its log. */
  readonly directory: string;
  readonly databaseUrl: string;
  readonly kubeconfig: string;
}

/** Where each role is told its port, and how it shows that it does its work. */
const ROLES = {
  api: { portVariable: 'PORT', path: '/readyz', shows: /"ok"/ },
  controller: {
    portVariable: 'METRICS_PORT',
    path: '/metrics',
    shows: /^leader_election_master_status\{.*\} 1$/m,
  },
} as const;

/**
 * Starts it and waits until it does its work.
 * @throws ServerStartError
 */
export async function startRole(role: keyof typeof ROLES, options: RoleOptions): Promise<RoleProcess> {
  const { portVariable, path, shows } = ROLES[role];
  const port = await findFreePort();
  const url = `http://127.0.0.1:${port}`;
  const variables = [
    `DATABASE_URL=${options.databaseUrl}`,
    `KUBECONFIG=${options.kubeconfig}`,
    'HOST=127.0.0.1',
    `${portVariable}=${port}`,
  ];
  const server = await startServer({
    name: role,
    directory: options.directory,
    program: '/usr/bin/env',
    args: [...variables, process.execPath, MAIN, role],
    orphanSignal: 'KILL',
    isReady: async () => shows.test(await readText(url + path)),
  });
  return { url, stop: () => server.stop() };
}

/** What is answered; nothing while nobody answers. */
async function readText(url: string): Promise<string> {
  try {
    return await (await fetch(url)).text();
  } catch {
    return '';
  }
}
