import { expect, test } from 'vitest';
import type { Access } from '../store/audit-accesses.ts';
import { AccessLog } from './access-log.ts';

function access(change: Partial<Access> = {}): Access {
  return {
    event: 'data.read',
    caller: { kind: 'key', keyId: 'key1', secretSha256: '' },
    method: 'GET',
    route: '/sessions',
    outcome: '200',
    target: '/sessions?page=1',
    address: '192.0.2.1',
    count: 1,
    firstAt: '2026-02-11T09:00:01.000Z',
    lastAt: '2026-02-11T09:00:01.000Z',
    ...change,
  };
}

test('what is alike is one, counted, with when it began and ended', () => {
  const log = new AccessLog();
  log.add(access());
  log.add(access({ count: 3, firstAt: '2026-02-11T09:00:00.000Z', lastAt: '2026-02-11T09:00:09.000Z' }));
  log.add(access({ address: '192.0.2.2' }));
  expect(log.drain()).toEqual([
    access({ count: 5, firstAt: '2026-02-11T09:00:00.000Z', lastAt: '2026-02-11T09:00:09.000Z' }),
  ]);
  expect(log.isEmpty).toBe(true);
  expect(log.drain()).toEqual([]);
});

test.each([
  { name: 'event', change: { event: 'access.denied' } },
  { name: 'caller', change: { caller: null } },
  { name: 'method', change: { method: 'HEAD' } },
  { name: 'route', change: { route: '/tasks' } },
  { name: 'outcome', change: { outcome: '304' } },
  { name: 'reason', change: { reason: 'expired' } },
  { name: 'target', change: { target: '/sessions?page=2' } },
] as const)('another $name is another', ({ change }) => {
  const log = new AccessLog();
  log.add(access());
  log.add(access(change));
  expect(log.drain()).toHaveLength(2);
});

test('a flood of made-up keys is counted in full and kept in few, and leaves room for the others', () => {
  const log = new AccessLog();
  const stranger = (n: number) =>
    access({ event: 'authentication.failed', caller: { kind: 'key', keyId: `k${n}`, secretSha256: '' } });
  for (let n = 0; n < 20_000; n += 1) log.add(stranger(n));
  log.add(access());
  const drained = log.drain();
  expect(drained.length).toBeLessThan(600);
  expect(drained.reduce((sum, { count }) => sum + count, 0)).toBe(20_001);
  expect(drained).toContainEqual(access());
});

test('a flood of addresses by one customer stays with the customer', () => {
  const log = new AccessLog();
  for (let n = 0; n < 20_000; n += 1) log.add(access({ target: `/sessions?page=${n}` }));
  const drained = log.drain();
  expect(drained.length).toBeLessThan(5_002);
  expect(drained.reduce((sum, { count }) => sum + count, 0)).toBe(20_000);
  expect(drained.every(({ caller }) => caller !== null)).toBe(true);
});
