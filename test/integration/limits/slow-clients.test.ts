import { connect } from 'node:net';
import { setInterval as every } from 'node:timers/promises';
import { expect, inject, test } from 'vitest';
import { problemSchema } from '../../../src/api/problem.ts';
import { freshDatabase } from '../../fixtures/database.ts';
import { freshNamespace } from '../../fixtures/kubernetes.ts';
import { makeTenant, retrieve, startApi } from '../api/api-under-test.ts';

const { url: databaseUrl } = await freshDatabase();
const api = await startApi({
  kubeconfigPath: inject('kubeconfigPath'),
  databaseUrl,
  namespace: await freshNamespace(),
});
const tenant = await makeTenant(api.pool);

/** Sends a request, the part after `at` at a byte a second, until the server has had enough; what it said. */
async function sendSlowly(text: string, at: number): Promise<string> {
  const { hostname, port } = new URL(api.url);
  const socket = connect(Number(port), hostname);
  const chunks: Buffer[] = [];
  socket.on('data', (chunk: Buffer) => chunks.push(chunk));
  socket.on('error', () => undefined);
  const closed = new Promise((resolve) => socket.once('close', resolve));
  socket.write(text.slice(0, at));
  let next = at;
  for await (const _ of every(1_000)) {
    if (socket.destroyed || socket.readableEnded || next === text.length) break;
    socket.write(text.slice(next, (next += 1)));
  }
  await closed;
  return Buffer.concat(chunks).toString();
}

const head = [
  'POST /api/v1/phases/store HTTP/1.1',
  'host: x',
  `x-api-key: ${tenant.apiKey}`,
  'content-type: application/json',
  'content-length: 1000',
];

test.concurrent.each([
  { name: 'its head', at: 10, text: `${head.join('\r\n')}\r\nx-padding: ${'x'.repeat(1_000)}\r\n\r\n` },
  { name: 'its body', at: 10_000, text: `${head.join('\r\n')}\r\nx-padding: ${'x'.repeat(9_000)}\r\n\r\n{` },
])(
  'a client that sends $name a byte a second is told so, and let go',
  { timeout: 120_000 },
  async ({ text, at }) => {
    const [answerHead = '', body = ''] = (await sendSlowly(text.padEnd(at + 1_000, ' '), at)).split(
      '\r\n\r\n',
    );
    expect(answerHead).toMatch(/^HTTP\/1\.1 408 /);
    expect(answerHead).toMatch(/connection: close/i);
    expect(problemSchema.strict().parse(JSON.parse(body)).code).toBe('REQUEST_TIMEOUT');
    expect((await retrieve(api, tenant, { repo: `${tenant.owner}/shop` })).status).toBe(200);
  },
);
