import { Redis } from 'ioredis';
import { afterAll, describe, expect, test, vi } from 'vitest';
import { type Cache, createCache } from '../../../src/cache/cache.ts';
import { findFreePort } from '../../../src/embedded/free-port.ts';
import { ownRedis } from '../../fixtures/redis.ts';

const silent = { info: () => undefined, warn: () => undefined };

function openCache(url: string | undefined): { cache: Cache; commands: string[] } {
  const commands: string[] = [];
  const cache = createCache({
    url,
    logger: silent,
    observer: { onCommand: (name, _seconds, ok) => commands.push(`${name} ${ok ? 'ok' : 'failed'}`) },
  });
  afterAll(() => cache.close());
  return { cache, commands };
}

async function expectNothing(cache: Cache): Promise<void> {
  expect(await cache.ping()).toBe(false);
  expect(await cache.claim('key', 'me', 1_000)).toEqual({ kind: 'unavailable' });
  await cache.keep('key', 'value', 1_000);
  await cache.release('key', 'me');
  expect(await cache.count('key', 1_000)).toBeUndefined();
}

test('without a URL there is no cache, and nothing fails', async () => {
  const { cache } = openCache(undefined);
  expect(cache.state()).toBe('disabled');
  await expectNothing(cache);
});

test('with nobody at the address it starts all the same, and nothing fails', async () => {
  const { cache, commands } = openCache(`redis://127.0.0.1:${await findFreePort()}`);
  expect(cache.state()).toBe('disconnected');
  await expectNothing(cache);
  expect(commands).toEqual([]);
});

const redis = await ownRedis();

describe.skipIf(redis === undefined)('with a Redis', () => {
  if (redis === undefined) return;
  const { url } = redis;

  async function connected() {
    const opened = openCache(url);
    await vi.waitFor(() => expect(opened.cache.state()).toBe('connected'), 5_000);
    return opened;
  }

  test('a claim is had by one, until it is released or over', async () => {
    const { cache } = await connected();
    expect(await cache.claim('claimed', 'first', 60_000)).toEqual({ kind: 'claimed' });
    expect(await cache.claim('claimed', 'second', 60_000)).toEqual({ kind: 'busy' });
    await cache.release('claimed', 'second');
    expect(await cache.claim('claimed', 'second', 60_000)).toEqual({ kind: 'busy' });
    await cache.release('claimed', 'first');
    expect(await cache.claim('claimed', 'second', 1)).toEqual({ kind: 'claimed' });
    await vi.waitFor(
      async () => expect(await cache.claim('claimed', 'third', 60_000)).toEqual({ kind: 'claimed' }),
      10_000,
    );
  });

  test('what is kept takes the place of a claim, and is not released', async () => {
    const { cache } = await connected();
    await cache.claim('kept', 'me', 60_000);
    await cache.keep('kept', 'claim:me', 60_000);
    await cache.release('kept', 'me');
    expect(await cache.claim('kept', 'me', 60_000)).toEqual({ kind: 'kept', value: 'claim:me' });
  });

  test('everything that is written is forgotten in time', async () => {
    const { cache } = await connected();
    await cache.claim('ttl:claim', 'me', 60_000);
    await cache.keep('ttl:value', 'value', 60_000);
    expect(await cache.count('ttl:count', 60_000)).toBe(1);
    expect(await cache.count('ttl:count', 60_000)).toBe(2);
    const client = new Redis(url);
    const left = await Promise.all((await client.keys('ttl:*')).map((key) => client.pttl(key)));
    client.disconnect();
    expect(left).toHaveLength(3);
    for (const ms of left) expect(ms).toBeGreaterThan(0);
  });

  test('a Redis that dies is missed at once, and found again when it is back', async () => {
    const { cache, commands } = await connected();
    const counting = Promise.all(Array.from({ length: 50 }, () => cache.count('dying', 60_000)));
    await redis.kill();
    await counting;
    await vi.waitFor(() => expect(cache.state()).toBe('disconnected'), 10_000);
    commands.length = 0;
    await expectNothing(cache);
    expect(commands).toEqual([]);
    await redis.restart();
    await vi.waitFor(() => expect(cache.state()).toBe('connected'), 10_000);
    expect(await cache.count('dying', 60_000)).toBe(1);
  });

  test('a Redis that hangs is given up after one wait, and found again when it answers', async () => {
    const { cache, commands } = await connected();
    redis.freeze();
    expect(await cache.count('hung', 60_000)).toBeUndefined();
    expect(commands).toEqual(['count failed']);
    await vi.waitFor(() => expect(cache.state()).toBe('disconnected'), 10_000);
    await expectNothing(cache);
    expect(commands).toEqual(['count failed']);
    redis.thaw();
    await vi.waitFor(() => expect(cache.state()).toBe('connected'), 20_000);
    expect(await cache.ping()).toBe(true);
  });
});
