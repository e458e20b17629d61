import { Counter, Gauge, Histogram, type Registry } from 'prom-client';

/** Connections that are at work, that are not, and callers that wait for one. */
interface PoolConnections {
  readonly inUse: number;
  readonly idle: number;
  readonly waiting: number;
}

/** Queries by the name they have in the code, and the connections of the pool. */
export function createPostgresMetrics(registry: Registry) {
  const registers = [registry];
  let pool: (() => PoolConnections) | undefined;
  let state: (() => boolean) | undefined;
  const connections = new Gauge({
    name: 'phaserun_postgres_pool_connections',
    help: 'Connections of the pool, by state, and the callers that wait for one.',
    labelNames: ['state'] as const,
    registers,
    collect() {
      const counts = pool?.();
      if (counts === undefined) return;
      connections.set({ state: 'in_use' }, counts.inUse);
      connections.set({ state: 'idle' }, counts.idle);
      connections.set({ state: 'waiting' }, counts.waiting);
    },
  });
  const connected = new Gauge({
    name: 'phaserun_postgres_connected',
    help: 'Whether the last attempt to reach Postgres succeeded; 0 before the first, absent where none is configured.',
    registers,
    collect() {
      if (state !== undefined) connected.set(state() ? 1 : 0);
    },
  });
  connected.remove();
  return {
    queryDuration: new Histogram({
      name: 'phaserun_postgres_query_duration_seconds',
      help: 'Seconds that a query takes, by query name.',
      labelNames: ['query'] as const,
      buckets: [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10],
      registers,
    }),
    queryErrors: new Counter({
      name: 'phaserun_postgres_query_errors_total',
      help: 'Queries that failed, by query name.',
      labelNames: ['query'] as const,
      registers,
    }),
    /** Asks at every scrape whether Postgres was there when it was last wanted. */
    watchConnection(isConnected: () => boolean): void {
      state = isConnected;
    },
    /** Reads the pool at every scrape. */
    watchPool(read: () => PoolConnections): void {
      pool = read;
    },
  };
}
