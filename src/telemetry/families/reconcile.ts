import { Counter, Histogram, type Registry } from 'prom-client';
import { zeroCounter } from '../zero-series.ts';

/** How a reconcile ended, as controller-runtime names it. */
const RESULTS = ['success', 'error', 'requeue'] as const;

/** The reconcile loop, under the names that controller-runtime gives (pkg/internal/controller/metrics). */
export function createReconcileMetrics(registry: Registry) {
  const registers = [registry];
  const total = new Counter({
    name: 'controller_runtime_reconcile_total',
    help: 'Reconciles by controller and result.',
    labelNames: ['controller', 'result'] as const,
    registers,
  });
  const errors = new Counter({
    name: 'controller_runtime_reconcile_errors_total',
    help: 'Reconciles that failed, by controller.',
    labelNames: ['controller'] as const,
    registers,
  });
  return {
    total,
    errors,
    duration: new Histogram({
      name: 'controller_runtime_reconcile_time_seconds',
      help: 'Seconds that a reconcile takes, by controller.',
      labelNames: ['controller'] as const,
      buckets: [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60],
      registers,
    }),
    /** A controller begins: its failures are 0 from now on, and not unknown until there is one. */
    zero(controller: string): void {
      zeroCounter(total, { controller: [controller], result: RESULTS });
      zeroCounter(errors, { controller: [controller] });
    },
  };
}
