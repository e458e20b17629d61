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
