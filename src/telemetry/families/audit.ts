import { Counter, type Registry } from 'prom-client';
import { zeroCounter } from '../zero-series.ts';

/** What the API notes of requests, besides what their own transactions note. */
export const ACCESS_EVENTS = ['authentication.failed', 'access.denied', 'data.read'] as const;
export type AccessEvent = (typeof ACCESS_EVENTS)[number];

/** How the audit is kept. */
export function createAuditMetrics(registry: Registry) {
  const registers = [registry];
  const accesses = new Counter({
    name: 'phaserun_audit_accesses_total',
    help: 'Requests that were noted for the audit, by what is noted of them.',
    labelNames: ['event'] as const,
    registers,
  });
  zeroCounter(accesses, { event: ACCESS_EVENTS });
  return {
    accesses,
    writeErrors: new Counter({
      name: 'phaserun_audit_write_errors_total',
      help: 'Times that noted requests could not be written; they are kept for the next time.',
      registers,
    }),
    sealed: new Counter({
      name: 'phaserun_audit_sealed_events_total',
      help: 'Audit events that were sealed into the chain of their customer.',
      registers,
    }),
    deleted: new Counter({
      name: 'phaserun_audit_deleted_events_total',
      help: 'Audit events that were deleted at the end of their retention.',
      registers,
    }),
  };
}
