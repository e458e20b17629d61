import { Gauge, type Registry } from 'prom-client';

/** What the database holds. */
export function createStorageMetrics(registry: Registry) {
  return {
    bytes: new Gauge({
      name: 'phaserun_stored_bytes',
      help: 'Bytes of a table with its indexes and large values, by table; absent on who does not lead.',
      labelNames: ['table'] as const,
      registers: [registry],
    }),
  };
}
