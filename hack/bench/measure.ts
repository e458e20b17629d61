/** What a number of calls cost, in milliseconds, and how many a second they came to. */
export interface Measurement {
  readonly calls: number;
  readonly p50: number;
  readonly p99: number;
  readonly perSecond: number;
}

/**
 * Makes `calls` calls with `concurrency` of them under way at any time, after a tenth as many to warm up.
 * A call that fails ends the benchmark: a rate of errors is no rate.
 */
export async function measure(
  calls: number,
  concurrency: number,
  call: (index: number) => Promise<unknown>,
): Promise<Measurement> {
  const warmUp = Math.ceil(calls / 10);
  await inParallel(warmUp, concurrency, call);
  const times: number[] = [];
  const started = performance.now();
  await inParallel(calls, concurrency, async (index) => {
    const at = performance.now();
    await call(warmUp + index);
    times.push(performance.now() - at);
  });
  const seconds = (performance.now() - started) / 1000;
  times.sort((a, b) => a - b);
  return { calls, p50: quantile(times, 0.5), p99: quantile(times, 0.99), perSecond: calls / seconds };
}

async function inParallel(calls: number, concurrency: number, call: (index: number) => Promise<unknown>): Promise<void> {
  let next = 0;
  const worker = async () => {
    while (next < calls) await call(next++);
  };
  await Promise.all(Array.from({ length: Math.min(concurrency, calls) }, worker));
}

function quantile(sorted: readonly number[], q: number): number {
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * q))] ?? Number.NaN;
}
