import { randomBytes } from 'node:crypto';
import { Webhook } from 'standardwebhooks';
import { expect, test } from 'vitest';
import { showWebhookSecret, signedHeaders } from './webhook-signature.ts';

const id = 'run_0190_completed';
const now = () => Math.floor(Date.now() / 1000);

test.each([
  { name: 'ASCII', body: '{"data":{"fixed":true}}' },
  { name: 'letters beyond it', body: '{"data":{"text":"Schöne Grüße 🎉\\u0000"}}' },
  { name: 'nothing', body: '' },
])('an independent verifier accepts a signature over $name', ({ body }) => {
  for (const size of [24, 32, 64]) {
    const secret = randomBytes(size);
    const headers = signedHeaders({ id, timestamp: now(), body, secret });
    const read = new Webhook(showWebhookSecret(secret)).verify(body, headers);
    expect(read).toEqual(body === '' ? undefined : JSON.parse(body));
  }
});

test.each([
  { name: 'another body', change: { body: '{}' } },
  { name: 'another id', change: { id: 'run_0191_completed' } },
  { name: 'another time', change: { timestamp: now() - 10 } },
  { name: 'another key', change: { secret: randomBytes(32) } },
])('and refuses it for $name', ({ change }) => {
  const message = { id, timestamp: now(), body: '{"a":1}', secret: randomBytes(32) };
  const headers = { ...signedHeaders(message), 'webhook-signature': signatureOf({ ...message, ...change }) };
  const verifier = new Webhook(showWebhookSecret(message.secret));
  expect(() => verifier.verify(message.body, headers)).toThrow('No matching signature');
});

function signatureOf(message: Parameters<typeof signedHeaders>[0]): string {
  return signedHeaders(message)['webhook-signature'] ?? '';
}
