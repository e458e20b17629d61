import { Counter, Gauge, type Registry } from 'prom-client';

/** What the watches see and how often they had to start again. */
export function createInformerMetrics(registry: Registry) {
  const registers = [registry];
  return {
    objects: new Gauge({
      name: 'phaserun_informer_objects',
      help: 'Objects that the informer holds, by resource.',
      labelNames: ['resource'] as const,
      registers,
    }),
    lastEvent: new Gauge({
      name: 'phaserun_informer_last_event_timestamp_seconds',
      help: 'Unix time of the last event or bookmark that arrived, by resource.',
      labelNames: ['resource'] as const,
      registers,
    }),
    relists: new Counter({
      name: 'phaserun_informer_relists_total',
      help: 'Full resyncs, the first included, by resource.',
      labelNames: ['resource'] as const,
      registers,
    }),
    restarts: new Counter({
      name: 'phaserun_informer_restarts_total',
      help: 'Watches opened again after they ended, by resource and reason.',
      labelNames: ['resource', 'reason'] as const,
      registers,
    }),
    handlerErrors: new Counter({
      name: 'phaserun_informer_handler_errors_total',
      help: 'Exceptions that handlers of events threw, by resource; each is a defect.',
      labelNames: ['resource'] as const,
      registers,
    }),
  };
}
