/** Exponential backoff with jitter, without end: the state of one loop that must never give up. */
export interface Backoff {
  /** Milliseconds to wait now; longer each time. */
  next(): number;
  /** Something worked: begin again with the shortest. */
  reset(): void;
}

export interface BackoffOptions {
  readonly baseMs: number;
  readonly maxMs: number;
  /** 0 up to 1, for tests. */
  readonly random?: () => number;
}

/** Waits between half and the whole of `baseMs`, doubled each time up to `maxMs`. */
export function createBackoff({ baseMs, maxMs, random = Math.random }: BackoffOptions): Backoff {
  let attempts = 0;
  return {
    next: () => {
      const ceiling = Math.min(maxMs, baseMs * 2 ** attempts);
      attempts += 1;
      return ceiling * (0.5 + random() / 2);
    },
    reset: () => {
      attempts = 0;
    },
  };
}
