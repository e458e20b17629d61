import { fastify } from 'fastify';
import { expect, test } from 'vitest';
import { useDrain } from './drain.ts';

test('a request in flight is answered, and its connection does not keep the server from closing', async () => {
  const app = fastify({ return503OnClosing: false });
  useDrain(app);
  const { promise: isInFlight, resolve: arrived } = Promise.withResolvers<void>();
  const { promise: isReleased, resolve: release } = Promise.withResolvers<void>();
  app.get('/', async () => {
    arrived();
    await isReleased;
    return 'answered';
  });
  const url = await app.listen({ host: '127.0.0.1', port: 0 });
  const answer = fetch(url);
  await isInFlight;
  const closed = app.close();
  release();
  expect(await (await answer).text()).toBe('answered');
  // Without it this takes as long as idle connections are kept: 72 s.
  await closed;
  expect(app.server.listening).toBe(false);
});
