import { expect, test } from 'vitest';
import { frameworkLabel, languageLabel } from './technology.ts';

test.each([
  { name: 'a known value', value: 'javascript', want: 'javascript' },
  { name: 'an alias, whatever its case and margins', value: ' NodeJS ', want: 'javascript' },
  { name: 'a value outside the set', value: 'befunge', want: 'other' },
  { name: 'the name of an object member', value: 'constructor', want: 'other' },
  { name: 'nothing', value: undefined, want: 'unknown' },
  { name: 'an empty string', value: '', want: 'unknown' },
])('language: $name', ({ value, want }) => {
  expect(languageLabel(value)).toBe(want);
});

test('framework aliases meet in one label', () => {
  expect(['Express', 'express.js', 'expressjs'].map(frameworkLabel)).toEqual([
    'express',
    'express',
    'express',
  ]);
});
