import { Counter, Histogram, type Registry } from 'prom-client';

/** How a reconcile ended, as controller-runtime names it. */
export const RECONCILE_RESULTS = ['success', 'error', 'requeue', 'requeue_after'] as const;
export type ReconcileResult = (typeof RECONCILE_RESULTS)[number];

/** The reconcile loop, under the names that controller-runtime gives (pkg/internal/controller/metrics). */
export function createReconcileMetrics(registry: Registry) {
  const registers = [registry];
  return {
    total: new Counter({
      name: 'controller_runtime_reconcile_total',
      help: 'Reconciles by controller and result.',
      labelNames: ['controller', 'result'] as const,
      registers,
    }),
    errors: new Counter({
      name: 'controller_runtime_reconcile_errors_total',
      help: 'Reconciles that failed, by controller.',
      labelNames: ['controller'] as const,
      registers,
    }),
    duration: new Histogram({
      name: 'controller_runtime_reconcile_time_seconds',
      help: 'Seconds that a reconcile takes, by controller.',
      labelNames: ['controller'] as const,
      buckets: [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60],
      registers,
    }),
  };
}
