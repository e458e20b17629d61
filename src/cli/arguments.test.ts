import { describe, expect, it } from 'vitest';
import { integerBetween, parseName, shellWord } from './arguments.ts';

describe('integerBetween', () => {
  it.each([
    { text: '1', want: 1 },
    { text: '10', want: 10 },
  ])('takes $text', ({ text, want }) => {
    expect(integerBetween(1, 10)(text)).toBe(want);
  });

  it.each(['0', '11', '-1', '1.5', '1e1', '', ' 1', '0x1', 'ten', '99999999999999999999'])(
    'refuses %j',
    (text) => {
      expect(() => integerBetween(1, 10)(text)).toThrow('It must be a whole number from 1 to 10.');
    },
  );
});

describe('parseName', () => {
  it('trims what people type', () => {
    expect(parseName(' acme ')).toBe('acme');
  });

  it.each([' ', 'n'.repeat(101)])('refuses what the column cannot hold', (text) => {
    expect(() => parseName(text)).toThrow('A name has between 1 and 100 characters.');
  });
});

describe('shellWord', () => {
  it.each([
    { text: 'acme', want: 'acme' },
    { text: 'Acme Inc.', want: "'Acme Inc.'" },
    { text: "O'Neil; rm -rf", want: "'O'\\''Neil; rm -rf'" },
    { text: '', want: "''" },
  ])('writes $text as $want', ({ text, want }) => {
    expect(shellWord(text)).toBe(want);
  });
});
