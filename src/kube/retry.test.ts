import { expect, test } from 'vitest';
import { KubeError } from './kube-error.ts';
import { isUnavailable } from './retry.ts';

test.each([
  { status: 0, reason: 'Unreachable', want: true },
  { status: 401, reason: 'Unauthorized', want: true },
  { status: 429, reason: 'TooManyRequests', want: true },
  { status: 503, reason: 'ServiceUnavailable', want: true },
  { status: 504, reason: 'Timeout', want: true },
  { status: 400, reason: 'BadRequest', want: false },
  { status: 403, reason: 'Forbidden', want: false },
  { status: 409, reason: 'Conflict', want: false },
  { status: 422, reason: 'Invalid', want: false },
])('$status $reason: $want', ({ status, reason, want }) => {
  expect(isUnavailable(new KubeError({ status, reason, message: '' }))).toBe(want);
});

test('another error is none of it', () => {
  expect(isUnavailable(new Error('ECONNREFUSED'))).toBe(false);
});
