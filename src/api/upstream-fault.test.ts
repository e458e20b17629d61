import { expect, test } from 'vitest';
import { KubeError } from '../kube/kube-error.ts';
import { DatabaseError } from '../store/errors.ts';
import { faultOf } from './upstream-fault.ts';

const kubeError = (status: number, reason: string, retryAfterSeconds?: number) =>
  new KubeError({ status, reason, message: 'no', retryAfterSeconds });

test.each([
  {
    name: 'no API server',
    error: kubeError(0, 'Unreachable'),
    code: 'KUBERNETES_UNAVAILABLE',
    retryAfter: '5',
  },
  {
    name: 'a throttling one',
    error: kubeError(429, 'TooManyRequests', 7),
    code: 'KUBERNETES_UNAVAILABLE',
    retryAfter: '7',
  },
  {
    name: 'one out of order',
    error: kubeError(500, 'InternalError'),
    code: 'KUBERNETES_UNAVAILABLE',
    retryAfter: '5',
  },
  {
    name: 'no rights yet',
    error: kubeError(403, 'Forbidden'),
    code: 'KUBERNETES_UNAVAILABLE',
    retryAfter: '5',
  },
  { name: 'no CRD yet', error: kubeError(404, 'NotFound'), code: 'KUBERNETES_UNAVAILABLE', retryAfter: '5' },
  {
    name: 'an object it refuses',
    error: kubeError(422, 'Invalid'),
    code: 'RUN_REJECTED',
    retryAfter: undefined,
  },
  {
    name: 'no database',
    error: new DatabaseError('unavailable', undefined, 'no'),
    code: 'DATABASE_UNAVAILABLE',
    retryAfter: '5',
  },
  {
    name: 'a lost race',
    error: new DatabaseError('conflict', '40001', 'no'),
    code: 'DATABASE_UNAVAILABLE',
    retryAfter: '5',
  },
  {
    name: 'content it refuses',
    error: new DatabaseError('content', '22003', 'no'),
    code: 'RUN_REJECTED',
    retryAfter: undefined,
  },
])('$name is $code', ({ error, code, retryAfter }) => {
  const fault = faultOf(error);
  expect(fault?.code).toBe(code);
  expect(fault?.headers['retry-after']).toBe(retryAfter);
  expect(fault?.cause).toBe(error);
});

test.each([
  { name: 'a mistake in a statement', error: new DatabaseError('other', '42601', 'syntax') },
  { name: 'a mistake in the program', error: new TypeError('undefined is not a function') },
])('$name is ours to repair', ({ error }) => {
  expect(faultOf(error)).toBeUndefined();
});
