import { expect, it } from 'vitest';
import { formatWarning } from './warning.ts';

it('is one line that a CI job shows, whatever the message holds', () => {
  expect(formatWarning('50% lost\r\n::error::x', true)).toBe('::warning::50%25 lost%0D%0A::error::x\n');
});

it('is plain elsewhere', () => {
  expect(formatWarning('50% lost', false)).toBe('warning: 50% lost\n');
});
