import { type PathStep, spellPath, type Unstorable } from './unstorable.ts';

/**
 * Finds an integer beyond ±(2^53−1) in a parsed value: one that may have been another before it was parsed. For
 * values whose text is out of reach, such as those that come from the Kubernetes API; where it is at hand,
 * `parseJsonExactly` knows for sure. The value must have passed `findUnstorable`, which bounds its depth.
 */
export function findUnsafeInteger(value: unknown, path: string): Unstorable | undefined {
  const steps = search(value);
  if (steps === undefined) return undefined;
  return {
    path: spellPath(path, steps.toReversed()),
    message: 'must not be an integer beyond ±(2^53−1), which arrives as another number: write it as a string',
  };
}

/** The way to the integer, innermost step first. */
function search(value: unknown): PathStep[] | undefined {
  if (typeof value === 'number')
    return Number.isInteger(value) && !Number.isSafeInteger(value) ? [] : undefined;
  if (typeof value !== 'object' || value === null) return undefined;
  for (const [key, inner] of Object.entries(value)) {
    const steps = search(inner);
    if (steps === undefined) continue;
    steps.push(Array.isArray(value) ? Number(key) : key);
    return steps;
  }
  return undefined;
}
