/** Written at once while few wait. */
const AT_LEAST = 2;
/** For each so many that wait, one more is written at once. */
const WAITING_FOR_ONE_MORE = 16;

/**
 * Where statuses wait, so that rows come first: a client waits for its row, and the API server's time for a status is what
 * keeps the next row. Few are written at once while few wait, and the more the more wait, so that the lane keeps up whatever
 * comes.
 */
export class StatusLane {
  readonly #atMost: number;
  readonly #onWaiting: (count: number) => void;
  #waiting: Waiting[] = [];
  #writing = 0;
  #moved = Promise.withResolvers<void>();

  /**
   * @param atMost statuses that are written at once, however many wait
   * @param onWaiting told how many wait, whenever that changes
   */
  constructor(atMost: number, onWaiting: (count: number) => void = () => undefined) {
    this.#atMost = atMost;
    this.#onWaiting = onWaiting;
  }

  /**
   * Takes a place in the lane, once there is one: no more wait than have `atMost` written at once.
   * @param slot whose status it is
   * @returns `done` settles as `write` does; a rejection may be looked at whenever it suits
   */
  async enter<T>(slot: string, write: () => Promise<T>): Promise<{ readonly done: Promise<T> }> {
    while (this.#waiting.length >= this.#atMost * WAITING_FOR_ONE_MORE) await this.#moved.promise;
    const { promise, resolve: begin } = Promise.withResolvers<void>();
    const done = promise.then(write).finally(() => {
      this.#writing -= 1;
      this.#move();
    });
    this.#waiting.push({ slot, begin });
    this.#onWaiting(this.#waiting.length);
    done.catch(() => undefined);
    this.#move();
    return { done };
  }

  /** Has what waits of a slot written at once: its next row waits for that. */
  hurry(slot: string): void {
    const hurried = this.#waiting.filter((waiting) => waiting.slot === slot);
    this.#waiting = this.#waiting.filter((waiting) => waiting.slot !== slot);
    for (const waiting of hurried) this.#begin(waiting);
  }

  #move(): void {
    while (this.#writing < this.#allowed()) {
      const next = this.#waiting.shift();
      if (next === undefined) return;
      this.#begin(next);
    }
  }

  #begin({ begin }: Waiting): void {
    this.#writing += 1;
    this.#onWaiting(this.#waiting.length);
    begin();
    this.#moved.resolve();
    this.#moved = Promise.withResolvers();
  }

  #allowed(): number {
    return Math.min(this.#atMost, AT_LEAST + Math.floor(this.#waiting.length / WAITING_FOR_ONE_MORE));
  }
}

interface Waiting {
  readonly slot: string;
  readonly begin: () => void;
}
