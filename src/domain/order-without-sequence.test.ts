import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { drawnBefore, ORDER_GAP, orderWithoutSequence, type PlaceUse } from './order-without-sequence.ts';

test.each<{ name: string; mark: number; taken: number[]; use: PlaceUse; want: number | undefined }>([
  { name: 'nothing in the slot', mark: 2048, taken: [], use: 'create', want: 2049 },
  { name: 'nothing in the slot', mark: 2048, taken: [], use: 'move', want: 2050 },
  { name: 'a newer one than the mark', mark: 1024, taken: [4096, 2048], use: 'create', want: 4097 },
  { name: 'one that was created', mark: 1024, taken: [2049], use: 'create', want: 2051 },
  { name: 'one that was created', mark: 1024, taken: [2049], use: 'move', want: 2050 },
  { name: 'only what the mark is above', mark: 8192, taken: [2049], use: 'create', want: 8193 },
  { name: 'the last place', mark: 1024, taken: [2045], use: 'create', want: 2047 },
  { name: 'a full gap', mark: 1024, taken: [2047], use: 'create', want: undefined },
  { name: 'a gap with no place of this kind', mark: 1024, taken: [2046], use: 'move', want: undefined },
])('$use with $name: $want', ({ mark, taken, use, want }) => {
  expect(orderWithoutSequence(mark, taken, use)).toBe(want);
});

const drawn = fc.integer({ min: 1, max: 1e6 }).map((n) => n * ORDER_GAP);
const place = fc.tuple(drawn, fc.integer({ min: 0, max: ORDER_GAP - 1 })).map(([a, b]) => a + b);
const use = fc.constantFrom<PlaceUse>('create', 'move');

test('a place is above all that is taken and the mark, and below whatever is drawn from then on', () => {
  fc.assert(
    fc.property(drawn, fc.array(place, { maxLength: 20 }), use, (mark, taken, done) => {
      const next = orderWithoutSequence(mark, taken, done);
      const known = [mark, ...taken];
      // What the sequence drew last is at least the mark, and the place in whose gap a taken one lies.
      const drawnNext = Math.max(...known.map(drawnBefore)) + ORDER_GAP;
      const newest = Math.max(...known);
      const isFull = newest >= drawnNext - 2;
      expect(next === undefined ? isFull : next > newest && next < drawnNext).toBe(true);
    }),
  );
});

/** A replica looks at the slot, and later writes, unless the name is taken: then it looks again. */
interface Replica {
  readonly mark: number;
  readonly use: PlaceUse;
}

test('however replicas with marks of their own interleave, places differ, and whoever began after an acknowledgement is the newer one', () => {
  const replicas = fc.array(fc.record({ mark: drawn, use }), { minLength: 1, maxLength: 6 });
  fc.assert(
    fc.property(replicas, fc.array(fc.nat(), { maxLength: 60 }), (stores, schedule) => {
      const slot: { place: number; by: PlaceUse }[] = [];
      const begun = new Map<Replica, { place: number | undefined; above: number }>();
      const done = new Set<Replica>();
      const step = (store: Replica) => {
        const seen = begun.get(store);
        const above = seen?.above ?? Math.max(0, ...slot.map((each) => each.place));
        if (seen === undefined || slot.some((each) => each.place === seen.place && each.by === 'create')) {
          const taken = slot.map((each) => each.place);
          begun.set(store, { place: orderWithoutSequence(store.mark, taken, store.use), above });
          return;
        }
        done.add(store);
        if (seen.place === undefined) return;
        expect(seen.place).toBeGreaterThan(seen.above);
        slot.push({ place: seen.place, by: store.use });
      };
      for (const n of schedule) {
        const waiting = stores.filter((store) => !done.has(store));
        const next = waiting[n % waiting.length];
        if (next !== undefined) step(next);
      }
      const created = slot.filter(({ by }) => by === 'create').map((each) => each.place);
      const moved = new Set(slot.filter(({ by }) => by === 'move').map((each) => each.place));
      expect(new Set(created).size).toBe(created.length);
      expect(created.filter((each) => moved.has(each))).toEqual([]);
    }),
    { numRuns: 500 },
  );
});
