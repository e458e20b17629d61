import { Redis } from 'ioredis';
import { expect, onTestFinished, test } from 'vitest';
import { identifyProcess } from '../../../src/embedded/process-identity.ts';
import { startRedis } from '../../../src/embedded/redis.ts';
import { temporaryDirectory } from '../../fixtures/temporary-directory.ts';

test('the machine’s own Redis answers on loopback until it is stopped', async ({ skip }) => {
  const redis = await startRedis({ directory: await temporaryDirectory() });
  if (redis === undefined) {
    skip('this machine has neither redis-server nor valkey-server');
    return;
  }
  onTestFinished(() => redis.stop());
  const client = new Redis(redis.url, { retryStrategy: () => null });
  expect(await client.set('key', 'value')).toBe('OK');
  expect(await client.config('GET', 'bind')).toEqual(['bind', '127.0.0.1']);
  await client.quit();

  await redis.stop();
  expect(await identifyProcess(redis.pid)).toBeUndefined();
});
