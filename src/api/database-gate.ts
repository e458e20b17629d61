import { isAway } from '../store/away.ts';
import { resultWithin } from './deadline.ts';

/** The database cannot be asked now: out of reach, or silent. */
export class DatabaseAwayError extends Error {
  override readonly name = 'DatabaseAwayError';
}

export interface DatabaseGateOptions {
  /** Asks the database for something that takes a write, so that a standby counts as away. */
  readonly probe: () => Promise<unknown>;
  /** The database went away, from when on nobody waits, or came back. */
  readonly onChange?: (isAway: boolean) => void;
  readonly everyMs?: number;
  readonly everyMsWhileAway?: number;
}

/** How often the database is asked without a request. */
const EVERY_MS = 10_000;
const EVERY_MS_WHILE_AWAY = 1_000;
/** A database that takes longer is away. */
const PROBE_MS = 3_000;

/**
 * Knows whether the database is away, for all requests of a process. Once one has found out, the others are told at once
 * instead of waiting for themselves; a probe in the background finds out when it is back.
 */
export class DatabaseGate {
  readonly #options: DatabaseGateOptions;
  #away = false;
  #closed = false;
  #timer: NodeJS.Timeout | undefined;

  constructor(options: DatabaseGateOptions) {
    this.#options = options;
    this.#schedule();
  }

  get isAway(): boolean {
    return this.#away;
  }

  /**
   * What the database says.
   * @throws DatabaseAwayError at once while it is away, else when it cannot be reached or does not answer within `ms`
   * @throws whatever else `question` throws: the database has answered
   */
  async ask<T>(ms: number, question: () => Promise<T>): Promise<T> {
    if (this.#away) throw new DatabaseAwayError('the database is away');
    const answer = await resultWithin(
      ms,
      question().then((result) => ({ result })),
    ).catch((error: unknown) => {
      if (!isAway(error)) throw error;
      this.#set(true);
      throw new DatabaseAwayError('the database cannot be reached', { cause: error });
    });
    if (answer !== undefined) return answer.result;
    this.#set(true);
    throw new DatabaseAwayError('the database does not answer');
  }

  close(): void {
    this.#closed = true;
    clearTimeout(this.#timer);
  }

  #set(isAway: boolean): void {
    if (this.#away === isAway || this.#closed) return;
    this.#away = isAway;
    this.#options.onChange?.(isAway);
    this.#schedule();
  }

  #schedule(): void {
    clearTimeout(this.#timer);
    if (this.#closed) return;
    const { everyMs = EVERY_MS, everyMsWhileAway = EVERY_MS_WHILE_AWAY } = this.#options;
    this.#timer = setTimeout(() => void this.#probe(), this.#away ? everyMsWhileAway : everyMs).unref();
  }

  async #probe(): Promise<void> {
    const asking = this.#options.probe().then(
      () => true,
      (error: unknown) => !isAway(error),
    );
    const isThere = await resultWithin(PROBE_MS, asking);
    if (this.#closed) return;
    this.#set(isThere !== true);
    this.#schedule();
  }
}
