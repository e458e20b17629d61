import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { findFreePort } from '../../src/embedded/free-port.ts';
import { startServer } from '../../src/embedded/server-process.ts';

/** A role of the product, or what it is compared with, in a process of its own. */
export interface RoleProcess {
  readonly url: string;
  readonly pid: number;
  /** From its spawn until it did its work, to 50 ms. */
  readonly startMs: number;
  /** Has it finish what is in hand and end. */
  stop(): Promise<void>;
}

export interface RoleOptions {
  /** The checkout that it is run from, its packages installed. */
  readonly product: string;
  /** For its log. */
  readonly directory: string;
  readonly databaseUrl: string;
  readonly kubeconfig: string;
  /** Variables of its environment beside those. */
  readonly settings?: Readonly<Record<string, string>>;
  /** Program and arguments in place of those that run the sources of the checkout. */
  readonly command?: readonly string[];
}

/** What starts it, where it is told its port, and how it shows that it does its work. */
export interface Role {
  /** Also of its log. */
  readonly name: string;
  /** Program and arguments, by the checkout. */
  readonly command: (product: string) => readonly string[];
  readonly portVariable: string;
  readonly path: string;
  readonly shows: RegExp;
}

const ROLES = {
  api: {
    command: (product: string) => [process.execPath, mainOf(product), 'api'],
    portVariable: 'PORT',
    path: '/readyz',
    shows: /"ok"/,
  },
  controller: {
    command: (product: string) => [process.execPath, mainOf(product), 'controller'],
    portVariable: 'METRICS_PORT',
    path: '/metrics',
    shows: /^leader_election_master_status\{.*\} 1$/m,
  },
  'bare-route': {
    command: () => [process.execPath, fileURLToPath(new URL('bare-route.ts', import.meta.url))],
    portVariable: 'PORT',
    path: '/readyz',
    shows: /"ok"/,
  },
} satisfies Record<string, Omit<Role, 'name'>>;

export type RoleName = keyof typeof ROLES;

/**
 * The defaults, but that a single customer stores as much as it can, and that nothing is deleted while it is measured;
 * what is asked and looked for is the same.
 */
const BENCH_SETTINGS = {
  HOST: '127.0.0.1',
  RATE_LIMIT_PER_HOUR: '1000000000',
  MAX_ARCHIVED_PHASERUNS: '1000000',
};

/**
 * Starts it and waits until it does its work.
 * @throws ServerStartError
 */
export async function startRole(role: RoleName | Role, options: RoleOptions): Promise<RoleProcess> {
  const { name, command, portVariable, path, shows } =
    typeof role === 'string' ? { name: role, ...ROLES[role] } : role;
  const port = await findFreePort();
  const url = `http://127.0.0.1:${port}`;
  const environment = {
    ...BENCH_SETTINGS,
    DATABASE_URL: options.databaseUrl,
    KUBECONFIG: options.kubeconfig,
    [portVariable]: String(port),
    ...options.settings,
  };
  const startedAt = performance.now();
  const server = await startServer({
    name,
    directory: options.directory,
    program: '/usr/bin/env',
    args: [
      ...Object.entries(environment).map(([name, value]) => `${name}=${value}`),
      ...(options.command ?? command(options.product)),
    ],
    orphanSignal: 'KILL',
    isReady: async () => shows.test(await readText(url + path)),
  });
  return { url, pid: server.pid, startMs: performance.now() - startedAt, stop: () => server.stop() };
}

/** The program of a checkout. */
export function mainOf(product: string): string {
  return join(product, 'src', 'main.ts');
}

/** What is answered; nothing while nobody answers. */
async function readText(url: string): Promise<string> {
  try {
    return await (await fetch(url)).text();
  } catch {
    return '';
  }
}
