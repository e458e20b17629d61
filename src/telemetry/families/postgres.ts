import { Counter, Gauge, Histogram, type Registry } from 'prom-client';

/** Queries by the name they have in the code, and the connections of the pool. */
export function createPostgresMetrics(registry: Registry) {
  const registers = [registry];
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
    connections: new Gauge({
      name: 'phaserun_postgres_pool_connections',
      help: 'Connections of the pool, by what they are doing.',
      labelNames: ['state'] as const,
      registers,
    }),
    waiting: new Gauge({
      name: 'phaserun_postgres_pool_waiting',
      help: 'Callers that wait for a connection of the pool.',
      registers,
    }),
  };
}
