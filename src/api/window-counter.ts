/**
 * Counts by key within windows of fixed length, which begin at the same moments for every key and in every process. It
 * holds the counts of one window, and of no more than `maxKeys` keys: past that the one that came first is forgotten.
 */
export class WindowCounter {
  readonly windowMs: number;
  readonly #maxKeys: number;
  readonly #counts = new Map<string, number>();
  #window = 0;

  constructor(windowMs: number, maxKeys = 10_000) {
    this.windowMs = windowMs;
    this.#maxKeys = maxKeys;
  }

  /** Adds one, and answers how many there are in the window of this moment. */
  count(key: string, now: number): number {
    const window = this.windowOf(now);
    if (window !== this.#window) {
      this.#window = window;
      this.#counts.clear();
    }
    const count = (this.#counts.get(key) ?? 0) + 1;
    if (count === 1 && this.#counts.size >= this.#maxKeys) this.#forgetFirst();
    this.#counts.set(key, count);
    return count;
  }

  /** Numbers the windows. */
  windowOf(now: number): number {
    return Math.floor(now / this.windowMs);
  }

  /** Until the next window begins; at least one second. */
  secondsLeft(now: number): number {
    return Math.max(1, Math.ceil(((this.windowOf(now) + 1) * this.windowMs - now) / 1000));
  }

  #forgetFirst(): void {
    for (const key of this.#counts.keys()) {
      this.#counts.delete(key);
      return;
    }
  }
}
