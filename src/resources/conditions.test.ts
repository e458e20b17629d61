import { expect, test } from 'vitest';
import {
  ACCEPTED_REASONS,
  ARCHIVED_REASONS,
  CONDITION_TYPES,
  EVENT_REASONS,
  REJECTION_REASONS,
  SESSION_REASONS,
  TERMINAL_REJECTIONS,
} from './conditions.ts';

test('what the surroundings of a run can mend is not terminal, all else is', () => {
  const mendable = Object.keys(REJECTION_REASONS).filter((reason) => !TERMINAL_REJECTIONS.has(reason));
  expect(mendable).toEqual(['NamespaceNotBound', 'ForgeAccountNotVerified']);
});

test('every type and reason is one that metav1.Condition allows', () => {
  const names = [
    CONDITION_TYPES,
    ACCEPTED_REASONS,
    REJECTION_REASONS,
    ARCHIVED_REASONS,
    SESSION_REASONS,
    EVENT_REASONS,
  ].flatMap(Object.keys);
  expect(names.filter((name) => !/^[A-Z][A-Za-z]{2,}$/.test(name))).toEqual([]);
});
