import { expect, test } from 'vitest';
import { setCondition } from './conditions.ts';

const BEFORE = '2026-01-01T00:00:00Z';
const NOW = new Date('2026-02-02T02:02:02.222Z');
const archived = {
  type: 'Archived',
  status: 'True',
  reason: 'Stored',
  message: 'stored',
  observedGeneration: 1,
  lastTransitionTime: BEFORE,
} as const;
const { lastTransitionTime: _, ...statement } = archived;

test.each([
  {
    name: 'the first',
    given: [],
    set: statement,
    want: [{ ...archived, lastTransitionTime: '2026-02-02T02:02:02Z' }],
  },
  {
    name: 'another status moves the transition time',
    given: [archived],
    set: { ...statement, status: 'False' as const },
    want: [{ ...archived, status: 'False', lastTransitionTime: '2026-02-02T02:02:02Z' }],
  },
  {
    name: 'another reason does not',
    given: [archived],
    set: { ...statement, reason: 'Duplicate', observedGeneration: 2 },
    want: [{ ...archived, reason: 'Duplicate', observedGeneration: 2 }],
  },
  {
    name: 'the others stay in their places',
    given: [archived, { ...archived, type: 'Accepted' }],
    set: { ...statement, message: 'again' },
    want: [
      { ...archived, message: 'again' },
      { ...archived, type: 'Accepted' },
    ],
  },
])('$name', ({ given, set, want }) => {
  const before = structuredClone(given);
  expect(setCondition(given, set, NOW)).toEqual(want);
  expect(given).toEqual(before);
});

test('the same again changes nothing at all', () => {
  const given = [archived];
  expect(setCondition(given, statement, NOW)).toBe(given);
});
