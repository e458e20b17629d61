import { describe, expect, test } from 'vitest';
import { type Costs, judge } from './verdict.ts';

const costs = (changed: Partial<Costs> = {}): Costs => ({
  store: [1.2, 1.3, 1.25],
  retrieve: [2, 2.1, 1.9],
  drain: [0.7, 0.8, 0.75],
  ...changed,
});

const worse = (before: Costs, now: Costs) =>
  judge(before, now)
    .filter(({ isWorse }) => isWorse)
    .map(({ name }) => name);

describe('the guard', () => {
  test.each<{ name: string; now: Partial<Costs>; want: readonly string[] }>([
    { name: 'the same', now: {}, want: [] },
    { name: 'everything faster', now: { store: [0.5], retrieve: [0.5], drain: [0.1] }, want: [] },
    { name: 'a store that costs half as much again', now: { store: [1.875] }, want: ['store'] },
    { name: 'a store that costs a little less than that', now: { store: [1.87] }, want: [] },
    { name: 'a retrieve twice as slow', now: { retrieve: [4, 4.2, 3.8] }, want: ['retrieve'] },
    { name: 'a drain at half the rate', now: { drain: [1.5, 1.5, 1.6] }, want: ['drain'] },
    { name: 'one slow round of three', now: { store: [1.2, 9, 1.3] }, want: [] },
    { name: 'two slow rounds of three', now: { store: [1.2, 9, 9] }, want: ['store'] },
    {
      name: 'all of it slower',
      now: { store: [2], retrieve: [4], drain: [2] },
      want: ['store', 'retrieve', 'drain'],
    },
  ])('$name: worse is $want', ({ now, want }) => {
    expect(worse(costs(), costs(now))).toEqual(want);
  });

  test('judges nothing that was not measured', () => {
    expect(() => judge(costs(), costs({ drain: [] }))).toThrow('drain was not measured');
    expect(() => judge(costs({ store: [Number.NaN] }), costs())).toThrow('store was not measured');
    expect(() => judge(costs(), costs({ retrieve: [0] }))).toThrow('retrieve was not measured');
  });
});
