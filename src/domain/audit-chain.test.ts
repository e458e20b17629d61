import { createHash } from 'node:crypto';
import { expect, test } from 'vitest';
import { CHAIN_START, type ChainedEvent, nextLink } from './audit-chain.ts';

const event: ChainedEvent = {
  id: 7,
  customerId: '6f1c2f6e-0000-4000-8000-000000000001',
  eventType: 'phaserun.inserted',
  role: null,
  timestamp: '2026-02-11T09:14:03.220123Z',
  traceId: null,
  metadata: '{"a": 1.0}',
};

test('a hash is what its description says, so that anybody can compute it', () => {
  const canonical =
    '{"customerId":"6f1c2f6e-0000-4000-8000-000000000001","eventType":"phaserun.inserted","id":7,' +
    '"metadata":"{\\"a\\": 1.0}","role":null,"sequence":1,"timestamp":"2026-02-11T09:14:03.220123Z","traceId":null}';
  const want = createHash('sha256')
    .update(Buffer.concat([Buffer.alloc(32), Buffer.from(canonical)]))
    .digest('hex');
  expect(nextLink(CHAIN_START, event)).toEqual({ sequence: 1, hash: want });
});

test.each([
  { name: 'id', change: { id: 8 } },
  { name: 'customer', change: { customerId: null } },
  { name: 'type', change: { eventType: 'phaserun.updated' } },
  { name: 'role', change: { role: '' } },
  { name: 'time', change: { timestamp: '2026-02-11T09:14:03.220124Z' } },
  { name: 'trace', change: { traceId: 't' } },
  { name: 'metadata', change: { metadata: '{"a": 1.00}' } },
])('another $name is another hash', ({ change }) => {
  const [one, other] = [event, { ...event, ...change }].map((each) => nextLink(CHAIN_START, each).hash);
  expect(one).not.toBe(other);
});

test('so is another place, and another past', () => {
  const first = nextLink(CHAIN_START, event);
  const hashes = [
    first.hash,
    nextLink(first, event).hash,
    nextLink({ ...first, sequence: 0 }, event).hash,
    nextLink({ ...CHAIN_START, sequence: 1 }, event).hash,
  ];
  expect(new Set(hashes).size).toBe(4);
});
