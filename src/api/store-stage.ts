import type { StoreStage } from '../telemetry/families/store.ts';
import type { Metrics } from '../telemetry/metrics.ts';
import { type Tracer, traced } from '../telemetry/tracer.ts';

/** What a step of a store is noted in. */
export interface StageDependencies {
  readonly metrics: Pick<Metrics, 'store'>;
  readonly tracer: Pick<Tracer, 'begin'>;
}

/** Does a step of a store: in a span of its own, and noting how long it took. */
export async function timed<T>(
  { metrics, tracer }: StageDependencies,
  stage: StoreStage,
  { traceparent }: { readonly traceparent: string },
  work: () => Promise<T>,
): Promise<T> {
  const startedAt = performance.now();
  try {
    return await traced(tracer, `store ${stage}`, { parent: traceparent }, work);
  } finally {
    metrics.store.stage.observe({ stage }, (performance.now() - startedAt) / 1000);
  }
}
