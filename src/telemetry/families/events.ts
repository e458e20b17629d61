import { Counter, type Registry } from 'prom-client';
import { zeroCounter } from '../zero-series.ts';

/** The Kubernetes Events that this process tells people. */
export function createEventMetrics(registry: Registry) {
  const total = new Counter({
    name: 'phaserun_kubernetes_events_total',
    help: 'Kubernetes Events by outcome; dropped ones were too many at once, or refused.',
    labelNames: ['outcome'] as const,
    registers: [registry],
  });
  zeroCounter(total, { outcome: ['written', 'dropped'] });
  return { total };
}
