import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { fastify } from 'fastify';
import { expect, test } from 'vitest';
import { useDrain } from './drain.ts';

/** As the API is made, whose clients have so long for their headers. */
const SERVER = {
  return503OnClosing: false,
  forceCloseConnections: 'idle',
  http: { headersTimeout: 15_000, connectionsCheckingInterval: 5_000 },
} as const;

async function startServer() {
  const app = fastify(SERVER);
  useDrain(app);
  app.get('/quick', () => 'here');
  const { port } = new URL(await app.listen({ host: '127.0.0.1', port: 0 }));
  return { app, open: () => connect(Number(port), '127.0.0.1').setEncoding('utf8') };
}

async function ask(socket: Socket, path: string): Promise<string> {
  socket.write(`GET ${path} HTTP/1.1\r\nhost: x\r\n\r\n`);
  const [answer] = await once(socket, 'data');
  return String(answer);
}

test('a request on an open connection is answered though the server has been told to close, and is its last', async () => {
  const { app, open } = await startServer();
  const socket = open();
  const first = await ask(socket, '/quick');
  const ended = once(socket, 'close');
  const closed = app.close();
  const last = await ask(socket, '/quick');
  await Promise.all([ended, closed]);
  expect(first).toMatch(/^HTTP\/1.1 200 OK[^]*here$/);
  expect(first).not.toMatch(/connection: close/i);
  expect(last).toMatch(/^HTTP\/1.1 200 OK[^]*connection: close[^]*here$/i);
});

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
  // Longer than what is just arriving is waited for.
  setTimeout(release, 1_000);
  expect(await (await answer).text()).toBe('answered');
  // Without it this takes as long as idle connections are kept: 72 s.
  await closed;
  expect(app.server.listening).toBe(false);
});

test('a connection that brings nothing keeps no server from closing', async () => {
  const { app, open } = await startServer();
  const socket = open().resume();
  const ended = once(socket, 'close');
  await once(app.server, 'connection');
  // Node alone would wait for its client, and the test would fail.
  await expect(app.close()).resolves.toBeUndefined();
  await ended;
});
