import { Counter, Gauge, Histogram, type Registry } from 'prom-client';

/** Seconds from 10 ns to 10 s, a decade each, as in client-go. */
const DECADES = [1e-8, 1e-7, 1e-6, 1e-5, 1e-4, 1e-3, 1e-2, 0.1, 1, 10];

/** The work queue, under the names that client-go gives (k8s.io/component-base/metrics/prometheus/workqueue). */
export function createWorkQueueMetrics(registry: Registry) {
  const common = { labelNames: ['name'] as const, registers: [registry] };
  return {
    depth: new Gauge({ name: 'workqueue_depth', help: 'Keys that wait in the queue.', ...common }),
    adds: new Counter({ name: 'workqueue_adds_total', help: 'Keys added to the queue.', ...common }),
    retries: new Counter({
      name: 'workqueue_retries_total',
      help: 'Keys added again after a failure.',
      ...common,
    }),
    queueDuration: new Histogram({
      name: 'workqueue_queue_duration_seconds',
      help: 'Seconds that a key waits before it is taken.',
      buckets: DECADES,
      ...common,
    }),
    workDuration: new Histogram({
      name: 'workqueue_work_duration_seconds',
      help: 'Seconds that working on a key takes.',
      buckets: DECADES,
      ...common,
    }),
  };
}
