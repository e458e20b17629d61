import { isDeepStrictEqual } from 'node:util';
import type { Condition } from '../resources/conditions.ts';

/**
 * The conditions with this one set, in place of that of its type or at the end. The transition time changes only with the
 * status. Answers the very array it was given when nothing changes.
 */
export function setCondition(
  conditions: readonly Condition[],
  condition: Omit<Condition, 'lastTransitionTime'>,
  now: Date,
): readonly Condition[] {
  const old = conditions.find((each) => each.type === condition.type);
  const lastTransitionTime = old?.status === condition.status ? old.lastTransitionTime : rfc3339(now);
  const next = { ...condition, lastTransitionTime };
  if (old === undefined) return [...conditions, next];
  return isDeepStrictEqual(old, next) ? conditions : conditions.map((each) => (each === old ? next : each));
}

/** `metav1.Time` has whole seconds. */
function rfc3339(date: Date): string {
  return `${date.toISOString().slice(0, 19)}Z`;
}
