import { expect, test } from 'vitest';
import { createMetrics } from '../telemetry/metrics.ts';
import { createControllerObserver } from './controller-observer.ts';

test('what has not happened yet is counted as 0', async () => {
  const metrics = createMetrics({ defaultMetrics: false });
  createControllerObserver(metrics, { record: () => undefined, close: () => Promise.resolve() });
  const text = await metrics.expose();
  expect(text).toContain('controller_runtime_reconcile_errors_total{controller="phaserun"} 0');
  expect(text).toContain('controller_runtime_reconcile_total{controller="phaserun",result="error"} 0');
});
