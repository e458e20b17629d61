import { type CacheOptions, type CacheState, RedisConnection } from './redis-connection.ts';

export type { CacheObserver, CacheOptions, CacheState } from './redis-connection.ts';

/** What was found where something was to be claimed; `unavailable` when Redis is not there to tell. */
export type CacheClaim =
  | { readonly kind: 'claimed' | 'busy' | 'unavailable' }
  | { readonly kind: 'kept'; readonly value: string };

/**
 * A faster place in front of Postgres, which may be away, empty or wiped at any time: nothing depends on it but speed,
 * and limits that then count for each process alone. No method rejects, or waits for a Redis that is away.
 */
export interface Cache {
  state(): CacheState;
  /** Asks the server; true when it answered. */
  ping(): Promise<boolean>;
  /** Takes a key for `lockMs`, unless somebody has, or something is kept there. `owner` is to be nobody else's. */
  claim(key: string, owner: string, lockMs: number): Promise<CacheClaim>;
  /** Keeps a value for `ttlMs`, in the place of whatever was there. */
  keep(key: string, value: string, ttlMs: number): Promise<void>;
  /** Gives up a claim that is still the owner's. */
  release(key: string, owner: string): Promise<void>;
  /** Adds one, and answers how many there are; they are forgotten `ttlMs` after the last. Undefined: Redis is away. */
  count(key: string, ttlMs: number): Promise<number | undefined>;
  close(): void;
}

/** Starts with what tells a claim from a value that is kept. */
const CLAIM = 'claim:';
const VALUE = 'value:';

const RELEASE = `if redis.call('get', KEYS[1]) == ARGV[1] then return redis.call('del', KEYS[1]) end return 0`;

/** Makes the cache of a process. No server is needed for that; without a URL there never is one. */
export function createCache(options: CacheOptions): Cache {
  if (options.url === undefined) return NO_CACHE;
  const redis = new RedisConnection(options.url, options);
  return {
    state: () => (redis.isConnected() ? 'connected' : 'disconnected'),
    ping: async () => (await redis.roundTrip('ping', (pipeline) => pipeline.ping())) !== undefined,
    async claim(key, owner, lockMs) {
      const mine = CLAIM + owner;
      const replies = await redis.roundTrip('claim', (pipeline) =>
        pipeline.set(key, mine, 'PX', lockMs, 'NX').get(key),
      );
      return replies === undefined ? { kind: 'unavailable' } : readClaim(replies[1], mine);
    },
    async keep(key, value, ttlMs) {
      await redis.roundTrip('keep', (pipeline) => pipeline.set(key, VALUE + value, 'PX', ttlMs));
    },
    async release(key, owner) {
      await redis.roundTrip('release', (pipeline) => pipeline.eval(RELEASE, 1, key, CLAIM + owner));
    },
    async count(key, ttlMs) {
      const replies = await redis.roundTrip('count', (pipeline) => pipeline.incr(key).pexpire(key, ttlMs));
      const count = replies?.[0];
      return typeof count === 'number' ? count : undefined;
    },
    close: () => redis.close(),
  };
}

function readClaim(reply: unknown, mine: string): CacheClaim {
  if (reply === mine) return { kind: 'claimed' };
  if (typeof reply === 'string' && reply.startsWith(VALUE)) {
    return { kind: 'kept', value: reply.slice(VALUE.length) };
  }
  // A claim that ended between the two commands is as good as none.
  return { kind: typeof reply === 'string' ? 'busy' : 'unavailable' };
}

const NO_CACHE: Cache = {
  state: () => 'disabled',
  ping: () => Promise.resolve(false),
  claim: () => Promise.resolve({ kind: 'unavailable' }),
  keep: () => Promise.resolve(),
  release: () => Promise.resolve(),
  count: () => Promise.resolve(undefined),
  close: () => undefined,
};
