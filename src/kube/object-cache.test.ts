import { expect, test } from 'vitest';
import { createObjectCache } from './object-cache.ts';

interface Thing {
  readonly metadata: { readonly name: string; readonly resourceVersion: string };
  readonly colours: readonly string[];
}

function makeThing(name: string, ...colours: string[]): Thing {
  return { metadata: { name, resourceVersion: '1' }, colours };
}

const makeCache = () => createObjectCache<Thing>({ colour: ({ colours }) => colours });
const names = (things: readonly Thing[]) => things.map((thing) => thing.metadata.name);

test('an object is found by its key and by each value of an index', () => {
  const cache = makeCache();
  cache.set('a', makeThing('a', 'red', 'blue'));
  cache.set('b', makeThing('b', 'red'));
  expect(cache.get('a')?.metadata.name).toBe('a');
  expect(cache.size).toBe(2);
  expect(names(cache.byIndex('colour', 'red'))).toEqual(['a', 'b']);
  expect(names(cache.byIndex('colour', 'blue'))).toEqual(['a']);
  expect(cache.byIndex('colour', 'green')).toEqual([]);
});

test('an object that changed is no longer found by what it was', () => {
  const cache = makeCache();
  const old = makeThing('a', 'red');
  cache.set('a', old);
  expect(cache.set('a', makeThing('a', 'blue'))).toBe(old);
  expect(cache.byIndex('colour', 'red')).toEqual([]);
  expect(names(cache.byIndex('colour', 'blue'))).toEqual(['a']);
});

test('of many objects under one value each is found as long as it is there', () => {
  const cache = makeCache();
  const all = ['a', 'b', 'c'];
  for (const name of all) cache.set(name, makeThing(name, 'red'));
  // The same again, under the same value, twice.
  cache.set('a', makeThing('a', 'red', 'red'));
  expect(names(cache.byIndex('colour', 'red')).toSorted()).toEqual(all);
  for (const [index, name] of all.entries()) {
    cache.delete(name);
    expect(names(cache.byIndex('colour', 'red')).toSorted()).toEqual(all.slice(index + 1));
  }
  cache.set('c', makeThing('c', 'red', 'red'));
  expect(names(cache.byIndex('colour', 'red'))).toEqual(['c']);
  expect(cache.delete('c')).toBeDefined();
  expect(cache.byIndex('colour', 'red')).toEqual([]);
});

test('an object that was deleted is found nowhere', () => {
  const cache = makeCache();
  cache.set('a', makeThing('a', 'red'));
  expect(cache.delete('a')?.metadata.name).toBe('a');
  expect(cache.delete('a')).toBeUndefined();
  expect(cache.byIndex('colour', 'red')).toEqual([]);
  expect(cache.list()).toEqual([]);
});

test('an indexer that throws changes nothing', () => {
  const cache = createObjectCache<Thing>({
    colour: ({ colours }) => {
      if (colours.length === 0) throw new Error('colourless');
      return colours;
    },
  });
  cache.set('a', makeThing('a', 'red'));
  expect(() => cache.set('a', makeThing('a'))).toThrow('colourless');
  expect(names(cache.byIndex('colour', 'red'))).toEqual(['a']);
});

test('an index that does not exist is an error, not an empty answer', () => {
  expect(() => makeCache().byIndex('shape', 'round')).toThrow('shape');
});
