/** Time as this folder sees it: durations and timers, never the date, so that no change of the system's clock is felt. */
export interface Clock {
  /** Milliseconds since some fixed moment; only ever grows. */
  now(): number;
  /** Calls `run` once after `ms`; the answer cancels it. */
  after(ms: number, run: () => void): () => void;
}

/** The monotonic clock of the process. */
export const systemClock: Clock = {
  now: () => performance.now(),
  after: (ms, run) => {
    const timer = setTimeout(run, ms);
    return () => clearTimeout(timer);
  },
};

/** Waits `ms`, or until the signal aborts: resolves either way, the caller looks at the signal. */
export function pause(clock: Clock, ms: number, signal: AbortSignal): Promise<void> {
  if (signal.aborted) return Promise.resolve();
  const { promise, resolve } = Promise.withResolvers<void>();
  const finish = () => resolve();
  const cancel = clock.after(ms, finish);
  signal.addEventListener('abort', finish);
  return promise.finally(() => {
    cancel();
    signal.removeEventListener('abort', finish);
  });
}
