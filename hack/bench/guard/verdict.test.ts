import { describe, expect, test } from 'vitest';
import { judge, type Rounds } from './verdict.ts';

/** Rounds in which `now` took so many times what 10 ms were before. */
const rounds = (...changes: readonly number[]) => changes.map((change) => ({ before: 10, now: 10 * change }));
const same: Rounds = { store: rounds(0.9, 1, 1.2), retrieve: rounds(1, 1.1, 0.9), drain: rounds(1, 1, 1) };

const worse = (changed: Partial<Rounds>) =>
  judge({ ...same, ...changed })
    .filter(({ isWorse }) => isWorse)
    .map(({ name }) => name);

describe('the guard', () => {
  test.each<{ name: string; now: Partial<Rounds>; want: readonly string[] }>([
    { name: 'the same', now: {}, want: [] },
    {
      name: 'everything faster',
      now: { store: rounds(0.5), retrieve: rounds(0.5), drain: rounds(0.1) },
      want: [],
    },
    { name: 'a store that takes half as long again', now: { store: rounds(1.5) }, want: ['store'] },
    { name: 'a store that takes a little less than that', now: { store: rounds(1.49) }, want: [] },
    { name: 'a retrieve twice as slow', now: { retrieve: rounds(2, 2.1, 1.9) }, want: ['retrieve'] },
    { name: 'one slow round of three', now: { store: rounds(1, 9, 1.1) }, want: [] },
    { name: 'two slow rounds of three', now: { store: rounds(1, 9, 9) }, want: ['store'] },
    {
      name: 'a machine that is slow for a while',
      now: { drain: [...rounds(1), { before: 90, now: 95 }] },
      want: [],
    },
    {
      name: 'all of it slower',
      now: { store: rounds(2), retrieve: rounds(4), drain: rounds(2) },
      want: ['store', 'retrieve', 'drain'],
    },
  ])('$name: worse is $want', ({ now, want }) => {
    expect(worse(now)).toEqual(want);
  });

  test('judges nothing that was not measured', () => {
    expect(() => worse({ drain: [] })).toThrow('drain was not measured');
    expect(() => worse({ store: rounds(Number.NaN) })).toThrow('store was not measured');
    expect(() => worse({ retrieve: rounds(0) })).toThrow('retrieve was not measured');
  });
});
