import { expect, test } from 'vitest';
import { SeriesBound } from './series-bound.ts';

test('combinations within the limit keep their repository, later ones become other', () => {
  const bound = new SeriesBound(2);
  const first = { repo: 'acme/one', status: 'completed' };
  const second = { repo: 'acme/one', status: 'failed' };
  const third = { repo: 'acme/two', status: 'completed' };

  expect(bound.admit(first)).toEqual(first);
  expect(bound.admit(second)).toEqual(second);
  expect(bound.admit(third)).toEqual({ repo: 'other', status: 'completed' });
});

test('an admitted combination stays admitted once the limit is reached', () => {
  const bound = new SeriesBound(1);
  bound.admit({ repo: 'acme/one' });
  bound.admit({ repo: 'acme/two' });
  expect(bound.admit({ repo: 'acme/one' })).toEqual({ repo: 'acme/one' });
});

test('values that only look alike when joined are different combinations', () => {
  const bound = new SeriesBound(1);
  bound.admit({ repo: 'a', language: 'b,c' });
  expect(bound.admit({ repo: 'a,b', language: 'c' })).toEqual({ repo: 'other', language: 'c' });
});
