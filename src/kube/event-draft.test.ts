import { expect, test } from 'vitest';
import { type KubeEvent, makeEventDraft, makeSeries, seriesKey } from './event-draft.ts';

const AT = new Date('2026-02-02T02:02:02.222Z');
const REPORTER = { controller: 'phases.rsolv.dev/controller', instance: 'pod-1' };
const EVENT: KubeEvent = {
  regarding: { apiVersion: 'v1', kind: 'ConfigMap', namespace: 'acme', name: 'a', uid: '1' },
  type: 'Normal',
  reason: 'Archived',
  action: 'Archive',
  note: 'stored',
};

test('an event says who did what to which object', () => {
  const draft = makeEventDraft(EVENT, REPORTER, AT);
  expect(draft).toMatchObject({
    metadata: { namespace: 'acme', name: expect.stringMatching(/^a\.[0-9a-f]{16}$/) },
    eventTime: '2026-02-02T02:02:02.222000Z',
    reportingController: 'phases.rsolv.dev/controller',
    reportingInstance: 'pod-1',
    regarding: EVENT.regarding,
    note: 'stored',
  });
});

test('an object of the cluster has its events in the namespace default', () => {
  const regarding = { apiVersion: 'v1', kind: 'Namespace', name: 'acme' };
  expect(makeEventDraft({ ...EVENT, regarding }, REPORTER, AT).metadata.namespace).toBe('default');
});

test('a note is cut by bytes, and never within a character', () => {
  const { note } = makeEventDraft({ ...EVENT, note: '€'.repeat(1000) }, REPORTER, AT);
  expect(note).toBe('€'.repeat(341));
});

test('the name of an event stays a DNS name', () => {
  const regarding = { ...EVENT.regarding, name: `${'a'.repeat(219)}.-${'b'.repeat(30)}` };
  const { name } = makeEventDraft({ ...EVENT, regarding }, REPORTER, AT).metadata;
  expect(name).toMatch(/^a{219}\.[0-9a-f]{16}$/);
});

test.each([
  { name: 'the first time there is no series', count: 1, want: {} },
  {
    name: 'the second time there is one',
    count: 2,
    want: { series: { count: 2, lastObservedTime: '2026-02-02T02:02:02.222000Z' } },
  },
])('$name', ({ count, want }) => {
  expect(makeSeries({ count, lastObservedTime: AT })).toEqual(want);
});

test.each([
  { name: 'another note', change: { note: 'other' }, same: true },
  { name: 'another reason', change: { reason: 'Rejected' }, same: false },
  { name: 'another type', change: { type: 'Warning' as const }, same: false },
  {
    name: 'another object of the same name',
    change: { regarding: { ...EVENT.regarding, uid: '2' } },
    same: false,
  },
])('$name: same series $same', ({ change, same }) => {
  expect(seriesKey({ ...EVENT, ...change }) === seriesKey(EVENT)).toBe(same);
});
