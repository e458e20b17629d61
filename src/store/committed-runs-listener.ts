import { setTimeout as sleep } from 'node:timers/promises';
import { Client } from 'pg';
import type { RunStatus } from '../domain/phase.ts';
import type { CommittedRun } from '../domain/run.ts';
import { COMMITTED_CHANNEL, committedRun, listCommittedRuns } from './committed-runs.ts';
import type { Connection } from './database.ts';

export interface CommittedRunsListenerOptions {
  /** Absent: there is nothing to hear, and every wait ends empty. Not through a transaction-mode pooler. */
  readonly url: string | undefined;
  /** Where runs are looked up that may have been missed. */
  readonly pool: Connection;
  readonly applicationName: string;
  readonly logger: {
    info(fields: object, message: string): void;
    warn(fields: object, message: string): void;
  };
}

export interface WaitOptions {
  /** What is waited for; an earlier state of the run does not count. */
  readonly sha256: string;
  readonly status: RunStatus;
  readonly timeoutMs: number;
  readonly signal?: AbortSignal;
}

export interface CommittedRunsListener {
  /**
   * Resolves with what became of a run; undefined when nothing is known of it in time, or the signal ends the wait.
   * Never rejects. It hears from the call on: call it before the run is created.
   */
  waitFor(runId: string, options: WaitOptions): Promise<CommittedRun | undefined>;
  close(): Promise<void>;
}

interface Waiter {
  readonly sha256: string;
  readonly status: RunStatus;
  resolve(run: CommittedRun | undefined): void;
}

const POLL_MS = 250;
const RECONNECT_MS = { first: 100, most: 5000 };

/**
 * Listens on a connection of its own, for as long as the process lives. Whatever it may have missed, because the
 * connection was down or is just back, is looked up; so is a run whose time is nearly up.
 */
export function createCommittedRunsListener(options: CommittedRunsListenerOptions): CommittedRunsListener {
  return new Listener(options);
}

class Listener implements CommittedRunsListener {
  readonly #options: CommittedRunsListenerOptions;
  readonly #waiters = new Map<string, Set<Waiter>>();
  readonly #closing = new AbortController();
  readonly #running: Promise<unknown>;
  #listening = false;
  #hangUp: () => void = () => undefined;

  constructor(options: CommittedRunsListenerOptions) {
    this.#options = options;
    this.#running = Promise.all(options.url === undefined ? [] : [this.#listen(options.url), this.#poll()]);
  }

  async waitFor(runId: string, options: WaitOptions): Promise<CommittedRun | undefined> {
    const { promise, resolve } = Promise.withResolvers<CommittedRun | undefined>();
    const { sha256, status, timeoutMs, signal } = options;
    const waiter: Waiter = { sha256, status, resolve };
    const giveUp = () => resolve(undefined);
    const lookUpOnce = () => void this.#lookUp([runId]).then(giveUp);
    const timer = setTimeout(lookUpOnce, timeoutMs);
    const signals = [this.#closing.signal, ...(signal ? [signal] : [])];
    for (const each of signals) each.addEventListener('abort', giveUp);
    this.#add(runId, waiter);
    if (signals.some((each) => each.aborted)) giveUp();
    try {
      return await promise;
    } finally {
      clearTimeout(timer);
      for (const each of signals) each.removeEventListener('abort', giveUp);
      this.#remove(runId, waiter);
    }
  }

  async close(): Promise<void> {
    this.#closing.abort();
    this.#hangUp();
    await this.#running;
  }

  /** Stays connected: listens, and when that ends begins again, ever more slowly while it fails. */
  async #listen(url: string): Promise<void> {
    let delay = RECONNECT_MS.first;
    while (!this.#closing.signal.aborted) {
      const wasListening = await this.#listenOnce(url);
      delay = wasListening ? RECONNECT_MS.first : Math.min(delay * 2, RECONNECT_MS.most);
      await this.#pause(delay * (0.5 + Math.random() / 2));
    }
  }

  /** Ends when the connection does; says whether there was one. */
  async #listenOnce(url: string): Promise<boolean> {
    const { applicationName, logger } = this.#options;
    const client = new Client({
      connectionString: url,
      application_name: applicationName,
      connectionTimeoutMillis: 3000,
      keepAlive: true,
      keepAliveInitialDelayMillis: 10_000,
    });
    const ended = this.#endOf(client);
    client.on('notification', ({ payload }) => this.#hear(payload));
    try {
      await client.connect();
      await client.query(`LISTEN ${COMMITTED_CHANNEL}`);
      this.#listening = true;
      logger.info({}, 'listening for committed runs');
      await this.#lookUp([...this.#waiters.keys()]);
      await ended;
      return true;
    } catch (error) {
      logger.warn({ err: error }, 'cannot listen for committed runs');
      return false;
    } finally {
      this.#listening = false;
      await client.end().catch(() => undefined);
    }
  }

  /** Resolves when the connection has failed or the listener closes; a client's error must have a listener. */
  #endOf(client: Client): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    client.on('error', () => resolve());
    client.on('end', () => resolve());
    this.#hangUp = resolve;
    return promise;
  }

  async #poll(): Promise<void> {
    while (!this.#closing.signal.aborted) {
      await this.#pause(POLL_MS);
      if (!this.#listening) await this.#lookUp([...this.#waiters.keys()]);
    }
  }

  /** Asks Postgres; when that fails, whoever waits goes on waiting. */
  async #lookUp(runIds: readonly string[]): Promise<void> {
    if (runIds.length === 0) return;
    const found = await listCommittedRuns(this.#options.pool, runIds).catch(() => []);
    for (const run of found) this.#wake(run);
  }

  #hear(payload: string | undefined): void {
    const parsed = committedRun.safeParse(parseJson(payload));
    if (parsed.success) this.#wake(parsed.data);
  }

  #wake(run: CommittedRun): void {
    for (const waiter of this.#waiters.get(run.runId) ?? []) {
      if (waiter.sha256 === run.sha256 && waiter.status === (run.status ?? waiter.status))
        waiter.resolve(run);
    }
  }

  #add(runId: string, waiter: Waiter): void {
    const waiters = this.#waiters.get(runId) ?? new Set();
    this.#waiters.set(runId, waiters.add(waiter));
  }

  #remove(runId: string, waiter: Waiter): void {
    const waiters = this.#waiters.get(runId);
    waiters?.delete(waiter);
    if (waiters?.size === 0) this.#waiters.delete(runId);
  }

  async #pause(milliseconds: number): Promise<void> {
    await sleep(milliseconds, undefined, { signal: this.#closing.signal }).catch(() => undefined);
  }
}

function parseJson(text: string | undefined): unknown {
  try {
    return JSON.parse(text ?? '');
  } catch {
    return undefined;
  }
}
