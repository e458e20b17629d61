import { randomBytes } from 'node:crypto';
import type { lookup } from 'node:dns';
import { createServer } from 'node:net';
import { afterAll, beforeEach, describe, expect, test } from 'vitest';
import { createWebhookSender, type WebhookSenderOptions } from '../../../src/controller/webhook-sender.ts';
import { showWebhookSecret } from '../../../src/domain/webhook-signature.ts';
import { startReceiver, verified } from './receiver.ts';

const receiver = await startReceiver();
const port = Number(new URL(receiver.url).port);
const secret = randomBytes(32);
const message = { id: 'run_1_completed', timestamp: Math.floor(Date.now() / 1000), body: '{"ä":1}', secret };

const senders: { close(): Promise<void> }[] = [];
afterAll(() => Promise.all(senders.map((sender) => sender.close())));
function sender(options: Partial<WebhookSenderOptions> = {}) {
  const made = createWebhookSender({ allowPrivateAddresses: true, userAgent: 'PhaseRun/test', ...options });
  senders.push(made);
  return made;
}

beforeEach(() => receiver.answer((_request, response) => response.end('thanks')));

test('sends a CloudEvent that an independent verifier accepts', async () => {
  const before = receiver.received.length;
  expect(await sender().send(receiver.url, message)).toEqual({ kind: 'answered', status: 200 });
  const [request] = receiver.received.slice(before);
  if (request === undefined) throw new Error('nothing arrived');
  expect(request).toMatchObject({
    path: '/hook',
    body: message.body,
    headers: {
      'content-type': 'application/cloudevents+json; charset=utf-8',
      'user-agent': 'PhaseRun/test',
      'webhook-id': message.id,
    },
  });
  expect(verified(showWebhookSecret(secret), request)).toEqual({ ä: 1 });
  expect(() => verified(showWebhookSecret(randomBytes(32)), request)).toThrow('No matching signature');
});

test('sends to the query of the URL, too', async () => {
  await sender().send(`${receiver.url}?token=a%20b`, message);
  expect(receiver.received.at(-1)?.path).toBe('/hook?token=a%20b');
});

describe('a receiver that', () => {
  test.each([
    { name: 'answers 500', status: 500 },
    { name: 'answers 410', status: 410 },
    { name: 'answers 204', status: 204 },
  ])('$name', async ({ status }) => {
    receiver.answer((_request, response) => response.writeHead(status).end());
    expect(await sender().send(receiver.url, message)).toEqual({ kind: 'answered', status });
  });

  test.each([301, 302, 307, 308])('redirects with %i is not followed', async (status) => {
    receiver.answer((_request, response) => response.writeHead(status, { location: receiver.url }).end());
    const before = receiver.received.length;
    expect(await sender().send(receiver.url, message)).toEqual({ kind: 'answered', status });
    expect(receiver.received.length).toBe(before + 1);
  });

  test('never answers is given up', async () => {
    receiver.answer(() => undefined);
    const outcome = await sender({ timeoutMs: 200 }).send(receiver.url, message);
    expect(outcome).toEqual({ kind: 'failed', error: 'no answer in time' });
  });

  test('sends headers one by one without an end is given up', async () => {
    const drip = createServer((socket) => {
      socket.on('error', () => undefined);
      socket.write('HTTP/1.1 200 OK\r\n');
      const timer = setInterval(() => socket.write('x-more: 1\r\n'), 20);
      socket.on('close', () => clearInterval(timer));
    });
    await new Promise<void>((resolve) => void drip.listen(0, '127.0.0.1', resolve));
    const address = drip.address();
    const dripPort = typeof address === 'object' ? address?.port : undefined;
    const outcome = await sender({ timeoutMs: 300 }).send(`http://127.0.0.1:${dripPort}/`, message);
    expect(outcome).toEqual({ kind: 'failed', error: 'no answer in time' });
    drip.close();
  });

  test('answers 200 with a body that never ends has got it', async () => {
    receiver.answer((_request, response) => {
      response.writeHead(200);
      const timer = setInterval(() => response.write('x'.repeat(1024)), 5);
      response.on('close', () => clearInterval(timer));
    });
    expect(await sender().send(receiver.url, message)).toEqual({ kind: 'answered', status: 200 });
    while (receiver.waiting > 0) await new Promise((resolve) => setTimeout(resolve, 5));
  });

  test('closes the connection', async () => {
    receiver.answer((request) => request.socket.destroy());
    expect(await sender().send(receiver.url, message)).toEqual({
      kind: 'failed',
      error: 'the connection was closed before an answer',
    });
  });

  test('is not there', async () => {
    expect(await sender().send('http://127.0.0.1:1/', message)).toEqual({
      kind: 'failed',
      error: 'the connection was refused',
    });
  });
});

describe('where private addresses are not allowed', () => {
  const refusal = { kind: 'failed', error: expect.stringMatching(/public internet|https/) };

  test.each([
    `https://127.0.0.1:${port}/`,
    `https://127.1:${port}/`,
    `https://0x7f000001:${port}/`,
    `https://2130706433:${port}/`,
    `https://0177.0.0.1:${port}/`,
    `https://[::1]:${port}/`,
    `https://[::ffff:127.0.0.1]:${port}/`,
    `https://localhost:${port}/`,
    `http://localhost:${port}/`,
    `http://8.8.8.8:${port}/`,
    'https://169.254.169.254/latest/meta-data/',
  ])('%s is refused, and nothing connects', async (url) => {
    const connections = await countConnections(() =>
      sender({ allowPrivateAddresses: false }).send(url, message),
    );
    expect(connections.result).toEqual(refusal);
    expect(connections.count).toBe(0);
  });

  test.each([
    { name: 'a private address', addresses: ['10.0.0.8'] },
    { name: 'loopback', addresses: ['127.0.0.1'] },
    { name: 'IPv6 loopback', addresses: ['::1'] },
    { name: 'the metadata of a cloud', addresses: ['169.254.169.254'] },
    { name: 'a public and a private address', addresses: ['8.8.8.8', '127.0.0.1'] },
    { name: 'IPv4 in IPv6', addresses: ['::ffff:127.0.0.1'] },
    { name: 'nothing', addresses: [] },
  ])('a name that resolves to $name is refused, and what it resolves to not told', async ({ addresses }) => {
    const { lookup } = scripted(addresses);
    const url = `https://receiver.example:${port}/`;
    const connections = await countConnections(() =>
      sender({ allowPrivateAddresses: false, lookup }).send(url, message),
    );
    expect(connections.result).toEqual({ kind: 'failed', error: 'the host is not on the public internet' });
    expect(connections.count).toBe(0);
  });

  test('where they are, the same request connects', async () => {
    const url = `https://localhost:${port}/`;
    const connections = await countConnections(() => sender().send(url, message));
    expect(connections.result).toMatchObject({
      kind: 'failed',
      error: expect.stringContaining('request failed'),
    });
    expect(connections.count).toBe(1);
  });

  async function countConnections<T>(work: () => Promise<T>) {
    const before = receiver.connections;
    const result = await work();
    return { result, count: receiver.connections - before };
  }
});

test('a name is resolved once for a connection, which is made to what was looked at', async () => {
  const script = scripted(['127.0.0.1'], ['10.0.0.8']);
  const url = `http://rebound.example:${port}/hook`;
  expect(await sender({ lookup: script.lookup }).send(url, message)).toEqual({
    kind: 'answered',
    status: 200,
  });
  expect(receiver.received.at(-1)?.headers.host).toBe(`rebound.example:${port}`);
  expect(script.asked).toEqual(['rebound.example']);
});

/** A name server that answers otherwise each time. */
function scripted(...answers: string[][]) {
  const asked: string[] = [];
  const resolve = (
    hostname: string,
    _options: object,
    callback: (error: null, addresses: { address: string; family: number }[]) => void,
  ) => {
    const answer = answers[Math.min(asked.length, answers.length - 1)] ?? [];
    asked.push(hostname);
    callback(
      null,
      answer.map((address) => ({ address, family: address.includes(':') ? 6 : 4 })),
    );
  };
  return { asked, lookup: resolve as unknown as typeof lookup };
}
