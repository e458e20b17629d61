import { findFreePort } from '../../src/embedded/free-port.ts';
import { startServer } from '../../src/embedded/server-process.ts';
import { Part } from './part.ts';

const ROLES = {
  api: { portVariable: 'PORT' },
  controller: { portVariable: 'METRICS_PORT' },
} as const;

export interface RoleOptions {
  readonly role: keyof typeof ROLES;
  /** `api-1`: names its logs too, one for each time that it is started. */
  readonly name: string;
  readonly directory: string;
  /** Path of the program's main file. */
  readonly main: string;
  readonly environment: Readonly<Record<string, string>>;
  readonly onCrash: (name: string) => void;
}

/** A process of the product: always on the same port. */
export interface Role {
  readonly part: Part;
  readonly port: number;
  /** Holds from its next start on: milliseconds that its clock is ahead, or behind. */
  setClock(skewMs: number): void;
}

export async function prepareRole(options: RoleOptions): Promise<Role> {
  const { role, name, directory, main, onCrash } = options;
  const port = await findFreePort();
  let starts = 0;
  let skewMs = 0;
  const part = new Part({
    name,
    stopSignal: 'SIGTERM',
    onCrash,
    launch: () => {
      starts += 1;
      const environment = {
        ...options.environment,
        HOST: '127.0.0.1',
        POD_NAME: name,
        [ROLES[role].portVariable]: String(port),
        ...(skewMs !== 0 && { FAULTS_CLOCK_SKEW_MS: String(skewMs) }),
      };
      return startServer({
        name: `${name}.${starts}`,
        directory,
        program: '/usr/bin/env',
        args: [
          ...Object.entries(environment).map(([variable, value]) => `${variable}=${value}`),
          process.execPath,
          ...(skewMs === 0 ? [] : ['--import', SKEWED_CLOCK]),
          main,
          role,
        ],
        orphanSignal: 'KILL',
        isReady: () => isAlive(port),
      });
    },
  });
  return {
    part,
    port,
    setClock(ms) {
      skewMs = ms;
    },
  };
}

const SKEWED_CLOCK = new URL('skewed-clock.ts', import.meta.url).href;

function isAlive(port: number): Promise<boolean> {
  return fetch(`http://127.0.0.1:${port}/livez`, { signal: AbortSignal.timeout(2_000) }).then(
    ({ ok }) => ok,
    () => false,
  );
}
