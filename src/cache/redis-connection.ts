import { type ChainableCommander, Redis } from 'ioredis';

/** `disabled`: no URL is set. `disconnected`: nothing answers, or has yet. */
export type CacheState = 'connected' | 'disabled' | 'disconnected';

export interface CacheObserver {
  /** Called after each round trip with the name it has in the code and how long it took. */
  onCommand(name: string, seconds: number, ok: boolean): void;
}

export interface CacheOptions {
  readonly url: string | undefined;
  readonly logger: {
    warn(fields: object, message: string): void;
    info(fields: object, message: string): void;
  };
  readonly observer?: CacheObserver;
}

/** Redis answers in a fraction of a millisecond; one that does not is worth no wait. */
const COMMAND_TIMEOUT_MS = 250;
const CONNECT_TIMEOUT_MS = 2_000;
/** For a server that hangs to say goodbye. */
const DISCONNECT_TIMEOUT_MS = 100;
const RETRY = { baseMs: 50, maxMs: 2_000 };

/**
 * A connection that nobody has to wait for: while Redis is away every round trip fails at once, and the connection is
 * made anew in the background, for ever.
 */
export class RedisConnection {
  readonly #redis: Redis;
  readonly #options: CacheOptions;
  #isConnected = false;

  constructor(url: string, options: CacheOptions) {
    this.#options = options;
    this.#redis = new Redis(url, {
      enableOfflineQueue: false,
      maxRetriesPerRequest: 1,
      autoResendUnfulfilledCommands: false,
      commandTimeout: COMMAND_TIMEOUT_MS,
      connectTimeout: CONNECT_TIMEOUT_MS,
      disconnectTimeout: DISCONNECT_TIMEOUT_MS,
      retryStrategy: (tries) =>
        Math.min(RETRY.baseMs * 2 ** Math.min(tries, 10), RETRY.maxMs) * (0.5 + Math.random() / 2),
      // After a failover the old master refuses to be written to, on a connection that works otherwise.
      reconnectOnError: ({ message }) => message.startsWith('READONLY'),
    });
    this.#redis.on('ready', () => this.#see(true));
    this.#redis.on('close', () => this.#see(false));
    // What failed is told by "close", and by whatever was asked meanwhile.
    this.#redis.on('error', () => undefined);
  }

  isConnected(): boolean {
    return this.#isConnected;
  }

  /**
   * Sends commands in one round trip.
   * @returns their replies; undefined when Redis did not answer all of them well
   */
  async roundTrip(
    name: string,
    commands: (pipeline: ChainableCommander) => void,
  ): Promise<readonly unknown[] | undefined> {
    if (!this.#isConnected) return undefined;
    const startedAt = performance.now();
    const replies = await this.#send(commands);
    this.#options.observer?.onCommand(name, (performance.now() - startedAt) / 1000, replies !== undefined);
    return replies;
  }

  close(): void {
    this.#redis.disconnect();
  }

  async #send(commands: (pipeline: ChainableCommander) => void): Promise<unknown[] | undefined> {
    const pipeline = this.#redis.pipeline();
    commands(pipeline);
    const results = await pipeline.exec().catch((error: Error) => [[error, null] as const]);
    const failure = results?.find(([error]) => error !== null)?.[0];
    if (failure === undefined || failure === null) return results?.map(([, reply]) => reply);
    // One that hangs is taken for dead, so that the next caller does not wait for it too.
    if (failure.message === 'Command timed out') {
      this.#see(false);
      this.#redis.disconnect(true);
    }
    return undefined;
  }

  #see(isConnected: boolean): void {
    if (this.#isConnected === isConnected) return;
    this.#isConnected = isConnected;
    const { logger } = this.#options;
    if (isConnected) logger.info({}, 'redis connected');
    else logger.warn({}, 'redis disconnected');
  }
}
