/** When something has to be done by. */
export interface Deadline {
  /** Milliseconds left, at least 1, so that it may serve as a timeout. */
  remainingMs(): number;
}

/** A deadline this far from now, by the monotonic clock. */
export function deadlineIn(ms: number): Deadline {
  const end = performance.now() + ms;
  return { remainingMs: () => Math.max(1, end - performance.now()) };
}

/** What comes of `promise` within `ms`; undefined when nothing does, and then nobody hears of its failure. */
export async function resultWithin<T>(ms: number, promise: Promise<T>): Promise<T | undefined> {
  const { promise: timedOut, resolve } = Promise.withResolvers<undefined>();
  const timer = setTimeout(() => resolve(undefined), ms);
  try {
    return await Promise.race([promise, timedOut]);
  } finally {
    clearTimeout(timer);
  }
}
