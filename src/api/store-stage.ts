import type { StoreStage } from '../telemetry/families/store.ts';
import type { Metrics } from '../telemetry/metrics.ts';

/** Does a step of a store, and notes how long it took. */
export async function timed<T>(
  { metrics }: { readonly metrics: Pick<Metrics, 'store'> },
  stage: StoreStage,
  work: () => Promise<T>,
): Promise<T> {
  const startedAt = performance.now();
  try {
    return await work();
  } finally {
    metrics.store.stage.observe({ stage }, (performance.now() - startedAt) / 1000);
  }
}
