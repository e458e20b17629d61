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
  readonly #waiting: (() => void)[] = [];
  #writing = 0;
  #moved = Promise.withResolvers<void>();

  /** @param atMost statuses that are written at once, however many wait */
  constructor(atMost: number) {
    this.#atMost = atMost;
  }

  /**
   * Takes a place in the lane, once there is one: no more wait than have `atMost` written at once.
   * @returns `done` settles as `write` does; a rejection may be looked at whenever it suits
   */
  async enter<T>(write: () => Promise<T>): Promise<{ readonly done: Promise<T> }> {
    while (this.#waiting.length >= this.#atMost * WAITING_FOR_ONE_MORE) await this.#moved.promise;
    const done = new Promise<void>((resolve) => this.#waiting.push(resolve)).then(write).finally(() => {
      this.#writing -= 1;
      this.#move();
    });
    done.catch(() => undefined);
    this.#move();
    return { done };
  }

  #move(): void {
    while (this.#writing < this.#allowed()) {
      const next = this.#waiting.shift();
      if (next === undefined) return;
      this.#writing += 1;
      next();
      this.#moved.resolve();
      this.#moved = Promise.withResolvers();
    }
  }

  #allowed(): number {
    return Math.min(this.#atMost, AT_LEAST + Math.floor(this.#waiting.length / WAITING_FOR_ONE_MORE));
  }
}
