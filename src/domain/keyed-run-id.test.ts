import { expect, test } from 'vitest';
import { keyedRunId } from './keyed-run-id.ts';

const run = {
  customerId: '0199f0c1-0000-7000-8000-000000000001',
  key: 'first',
  fingerprint: 'ab'.repeat(32),
};

test('the same run has the same id, a UUID of version 8, for ever', () => {
  expect(keyedRunId(run)).toBe(keyedRunId({ ...run }));
  expect(keyedRunId(run)).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-8[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
});

test.each([
  { name: 'customer', other: { customerId: '0199f0c1-0000-7000-8000-000000000002' } },
  { name: 'key', other: { key: 'second' } },
  { name: 'content', other: { fingerprint: 'cd'.repeat(32) } },
])('another $name is another run', ({ other }) => {
  expect(keyedRunId({ ...run, ...other })).not.toBe(keyedRunId(run));
});
