import { expect, test } from 'vitest';
import { formatElapsed } from './format-elapsed.ts';

const elapsed = [
  { milliseconds: 0, want: '0 s' },
  { milliseconds: 8_400, want: '8 s' },
  { milliseconds: 59_600, want: '1 min 0 s' },
  { milliseconds: 80_000, want: '1 min 20 s' },
];

test.each(elapsed)('$milliseconds ms: $want', ({ milliseconds, want }) => {
  expect(formatElapsed(milliseconds)).toBe(want);
});
