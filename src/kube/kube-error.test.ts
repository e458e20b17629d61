import { expect, test } from 'vitest';
import { hasStatus, makeStatusError } from './kube-error.ts';

test.each([
  {
    name: 'a Status',
    status: 422,
    body: {
      kind: 'Status',
      reason: 'Invalid',
      message: 'spec.phase: Required value',
      details: {
        name: 'a',
        kind: 'PhaseRun',
        causes: [{ reason: 'FieldValueRequired', field: 'spec.phase' }],
      },
    },
    want: {
      reason: 'Invalid',
      message: 'spec.phase: Required value',
      details: {
        name: 'a',
        kind: 'PhaseRun',
        causes: [{ reason: 'FieldValueRequired', field: 'spec.phase' }],
      },
    },
  },
  {
    name: 'a Status without a reason',
    status: 409,
    body: { message: 'moved on' },
    want: { reason: 'Conflict' },
  },
  { name: 'the page of a proxy', status: 503, body: undefined, want: { reason: 'ServiceUnavailable' } },
  { name: 'a status that nobody knows', status: 418, body: 'teapot', want: { reason: 'Unknown' } },
])('$name', ({ status, body, want }) => {
  expect(makeStatusError(status, body)).toMatchObject({ name: 'KubeError', status, ...want });
});

test.each([
  { name: 'in seconds', header: '7', body: {}, want: 7 },
  { name: 'as a date that has passed', header: 'Wed, 21 Oct 2015 07:28:00 GMT', body: {}, want: 0 },
  { name: 'as nonsense', header: 'soon', body: {}, want: undefined },
  { name: 'in the Status', header: undefined, body: { details: { retryAfterSeconds: 3 } }, want: 3 },
  {
    name: 'as zero, which is none',
    header: undefined,
    body: { details: { retryAfterSeconds: 0 } },
    want: undefined,
  },
])('Retry-After $name', ({ header, body, want }) => {
  expect(makeStatusError(429, body, header).retryAfterSeconds).toBe(want);
});

test('the status is asked of KubeErrors alone', () => {
  expect(hasStatus(makeStatusError(404, {}), 404)).toBe(true);
  expect(hasStatus(makeStatusError(404, {}), 409)).toBe(false);
  expect(hasStatus(Object.assign(new Error('404'), { status: 404 }), 404)).toBe(false);
});
