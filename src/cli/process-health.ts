import type { Dependency } from '../api/routes/health.ts';
import type { Cache } from '../cache/cache.ts';
import type { Config } from '../config.ts';
import type { KubeClient } from '../kube/client.ts';
import type { Database } from '../store/database.ts';

/** Postgres, as `/health` asks after it; undefined when no URL is set. */
export function databaseHealth(
  config: Pick<Config, 'databaseUrl'>,
  database: Database,
): Dependency | undefined {
  if (config.databaseUrl === undefined) return undefined;
  return {
    async ping() {
      if (!(await database.ping())) throw new Error('Postgres does not answer');
    },
  };
}

/** Redis, as `/health` asks after it; undefined when no URL is set. */
export function redisHealth(cache: Cache): Dependency | undefined {
  if (cache.state() === 'disabled') return undefined;
  return {
    async ping() {
      if (!(await cache.ping())) throw new Error('Redis does not answer');
    },
  };
}

/** The Kubernetes API, as `/health` asks after it. */
export function kubernetesHealth(client: KubeClient): Dependency {
  return { ping: (signal) => client.request({ method: 'GET', path: '/version', signal }) };
}
