import { ProblemError } from './problem.ts';

export interface ReadShareLimits {
  /** Reads of one customer that may be under way. */
  readonly atOnce: number;
  /** Those that may wait for their turn. */
  readonly waiting: number;
  /** Longest wait for a turn. */
  readonly waitMs: number;
}

const RETRY_AFTER_SECONDS = 2;

/**
 * Hands out turns to read, to each customer a few at once, so that whoever asks for much waits for what it asked itself, and
 * the other connections of the process are there for the others.
 */
export class ReadShare {
  readonly #limits: ReadShareLimits;
  readonly #customers = new Map<string, Turns>();

  constructor(limits: ReadShareLimits) {
    this.#limits = limits;
  }

  /**
   * A turn of the customer's, which lasts until `end` is called: when the database is done, not when nobody waits any more.
   * @throws ProblemError 503 when too many wait, or this one has waited too long
   */
  async begin(customerId: string): Promise<{ end(): void }> {
    const turns = this.#customers.get(customerId) ?? { underWay: 0, waiting: [] };
    this.#customers.set(customerId, turns);
    if (turns.underWay < this.#limits.atOnce) turns.underWay += 1;
    else await this.#wait(turns);
    return { end: () => this.#end(customerId, turns) };
  }

  async #wait({ waiting }: Turns): Promise<void> {
    if (waiting.length >= this.#limits.waiting) throw tooMany();
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    waiting.push(resolve);
    const timer = setTimeout(() => {
      waiting.splice(waiting.indexOf(resolve), 1);
      reject(tooMany());
    }, this.#limits.waitMs);
    await promise.finally(() => clearTimeout(timer));
  }

  /** The turn passes on to who has waited longest. */
  #end(customerId: string, turns: Turns): void {
    const next = turns.waiting.shift();
    if (next !== undefined) return next();
    turns.underWay -= 1;
    if (turns.underWay === 0) this.#customers.delete(customerId);
  }
}

interface Turns {
  underWay: number;
  readonly waiting: (() => void)[];
}

function tooMany(): ProblemError {
  return new ProblemError(
    'OVERLOADED',
    'Your account reads too much at once; ask again, for less at a time',
    {
      headers: { 'retry-after': String(RETRY_AFTER_SECONDS) },
    },
  );
}
