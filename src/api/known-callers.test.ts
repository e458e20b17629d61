import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import type { Caller } from '../store/principal.ts';
import { type Decided, KnownCallers } from './known-callers.ts';

const key: Caller = { kind: 'key', keyId: 'a', secretSha256: 'right' };
const shop = { forge: 'github', namespace: 'acme', name: 'shop' } as const;
const decided: Decided = { caller: key, scope: 'phases:write', repository: shop };
const customerId = 'acme';

beforeEach(() => vi.useFakeTimers({ toFake: ['Date', 'performance'] }));
afterEach(() => void vi.useRealTimers());

function knowing(options?: { maxDecisions?: number }): KnownCallers {
  const known = new KnownCallers(options);
  known.remember(decided, { customerId, decidedAt: performance.now() });
  return known;
}

test.each<{ name: string; asked: Decided; want: string | undefined }>([
  { name: 'what was decided', asked: decided, want: customerId },
  {
    name: 'another secret',
    asked: { ...decided, caller: { ...key, secretSha256: 'wrong' } },
    want: undefined,
  },
  { name: 'another key', asked: { ...decided, caller: { ...key, keyId: 'b' } }, want: undefined },
  { name: 'another scope', asked: { ...decided, scope: 'admin' }, want: undefined },
  {
    name: 'another repository',
    asked: { ...decided, repository: { ...shop, name: 'bank' } },
    want: undefined,
  },
  { name: 'another forge', asked: { ...decided, repository: { ...shop, forge: 'gitlab' } }, want: undefined },
  {
    name: 'a token',
    asked: {
      ...decided,
      caller: { kind: 'customer', customer: 'acme', scopes: ['phases:write'], subject: 'a' },
    },
    want: undefined,
  },
])('knows for $name: $want', ({ asked, want }) => {
  expect(knowing().recall(asked)).toBe(want);
});

test('a token with other scopes, or for another customer, is another caller', () => {
  const caller = { kind: 'customer', customer: 'acme', scopes: ['phases:write'], subject: 's' } as const;
  const known = new KnownCallers();
  known.remember({ ...decided, caller }, { customerId, decidedAt: performance.now() });
  expect(known.recall({ ...decided, caller })).toBe(customerId);
  expect(known.recall({ ...decided, caller: { ...caller, customer: 'other' } })).toBeUndefined();
  expect(known.recall({ ...decided, caller: { ...caller, scopes: [] } })).toBeUndefined();
});

test('a decision holds for 15 minutes from when Postgres was asked, and using it does not prolong it', () => {
  const known = knowing();
  vi.advanceTimersByTime(15 * 60_000 - 1);
  expect(known.recall(decided)).toBe(customerId);
  vi.advanceTimersByTime(1);
  expect(known.recall(decided)).toBeUndefined();
});

test('a key that expires is not known from that moment', () => {
  const known = new KnownCallers();
  known.remember(decided, {
    customerId,
    decidedAt: performance.now(),
    validUntil: new Date(Date.now() + 1_000),
  });
  vi.advanceTimersByTime(999);
  expect(known.recall(decided)).toBe(customerId);
  vi.advanceTimersByTime(1);
  expect(known.recall(decided)).toBeUndefined();
});

test('a refusal drops what was decided: of one repository, or of all when the credentials were refused', () => {
  const bank: Decided = { ...decided, repository: { ...shop, name: 'bank' } };
  const known = knowing();
  known.remember(bank, { customerId, decidedAt: performance.now() });
  known.forget(decided);
  expect([known.recall(decided), known.recall(bank)]).toEqual([undefined, customerId]);
  known.remember(decided, { customerId, decidedAt: performance.now() });
  known.forgetCaller({ ...key, secretSha256: 'wrong' });
  expect(known.recall(bank)).toBe(customerId);
  known.forgetCaller(key);
  expect([known.recall(decided), known.recall(bank)]).toEqual([undefined, undefined]);
});

test('no more is remembered than there is room for: what was not used for longest goes first', () => {
  const known = knowing({ maxDecisions: 2 });
  const of = (name: string): Decided => ({ ...decided, repository: { ...shop, name } });
  known.remember(of('bank'), { customerId, decidedAt: performance.now() });
  known.recall(decided);
  known.remember(of('mill'), { customerId, decidedAt: performance.now() });
  expect([decided, of('bank'), of('mill')].map((each) => known.recall(each))).toEqual([
    customerId,
    undefined,
    customerId,
  ]);
});

test('a job of another owner of the same name is another caller', () => {
  const known = new KnownCallers();
  const job = { kind: 'repository', repository: shop, ownerId: '1' } as const;
  known.remember({ ...decided, caller: job }, { customerId, decidedAt: performance.now() });
  expect(known.recall({ ...decided, caller: { ...job, ownerId: '2' } })).toBeUndefined();
  known.forgetCaller({ ...job, ownerId: '2' });
  expect(known.recall({ ...decided, caller: job })).toBe(customerId);
});
