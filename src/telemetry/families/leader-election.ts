import { Gauge, type Registry } from 'prom-client';

/** Who leads, under the name that client-go gives. */
export function createLeaderElectionMetrics(registry: Registry) {
  return {
    masterStatus: new Gauge({
      name: 'leader_election_master_status',
      help: '1 while this process holds the lease of this name, else 0.',
      labelNames: ['name'] as const,
      registers: [registry],
    }),
  };
}
