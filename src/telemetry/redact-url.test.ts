import { expect, test } from 'vitest';
import { redactUrl } from './redact-url.ts';

test.each([
  {
    name: 'user and password',
    url: 'postgres://app:hunter2@db:5432/phaserun',
    want: 'postgres://redacted:redacted@db:5432/phaserun',
  },
  {
    name: 'a password in the query',
    url: 'postgres://db/phaserun?sslmode=require&password=hunter2',
    want: 'postgres://db/phaserun?sslmode=require&password=redacted',
  },
  { name: 'nothing secret', url: 'https://api.example.org/a?b=c', want: 'https://api.example.org/a?b=c' },
  { name: 'not a URL', url: 'host=db password=hunter2', want: '[redacted]' },
])('$name', ({ url, want }) => {
  expect(redactUrl(url)).toBe(want);
});
