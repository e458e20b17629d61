import type { KubeObject } from './kube-object.ts';

/** The values under which an object is found in one index. */
export type Indexer<T> = (object: T) => readonly string[];

/** Objects by key, and by the values of each index. */
export interface ObjectCache<T> {
  readonly size: number;
  get(key: string): T | undefined;
  keys(): IterableIterator<string>;
  list(): T[];
  /** @throws Error when there is no such index */
  byIndex(index: string, value: string): T[];
  /** Answers the object that it replaces. Throws what an indexer throws, and then has changed nothing. */
  set(key: string, object: T): T | undefined;
  /** Answers the object that it removes. */
  delete(key: string): T | undefined;
}

export function createObjectCache<T extends KubeObject>(
  indexers: Readonly<Record<string, Indexer<T>>>,
): ObjectCache<T> {
  const objects = new Map<string, T>();
  const indices = Object.entries(indexers).map(([name, indexer]) => ({ name, indexer, keys: new Index() }));

  function unindex(key: string, object: T): void {
    for (const { indexer, keys } of indices) {
      for (const value of indexer(object)) keys.delete(value, key);
    }
  }

  return {
    get size() {
      return objects.size;
    },
    get: (key) => objects.get(key),
    keys: () => objects.keys(),
    list: () => [...objects.values()],
    byIndex(name, value) {
      const found = indices.find((each) => each.name === name);
      if (found === undefined) throw new Error(`no index ${name}`);
      return found.keys.get(value).flatMap((key) => objects.get(key) ?? []);
    },
    set(key, object) {
      // First, for an indexer may throw, and then nothing has changed.
      const added = indices.map(({ indexer, keys }) => ({ keys, values: indexer(object) }));
      const old = objects.get(key);
      if (old !== undefined) unindex(key, old);
      objects.set(key, object);
      for (const { keys, values } of added) {
        for (const value of values) keys.add(value, key);
      }
      return old;
    },
    delete(key) {
      const old = objects.get(key);
      if (old === undefined) return undefined;
      unindex(key, old);
      objects.delete(key);
      return old;
    },
  };
}

/** The keys under each value. One alone, as most are where the values are fine, has no set of its own: that weighs as much as an object. */
class Index {
  readonly #keys = new Map<string, string | Set<string>>();

  get(value: string): string[] {
    const found = this.#keys.get(value);
    if (found === undefined) return [];
    return typeof found === 'string' ? [found] : [...found];
  }

  add(value: string, key: string): void {
    const found = this.#keys.get(value);
    if (found === undefined) this.#keys.set(value, key);
    else if (typeof found !== 'string') found.add(key);
    else if (found !== key) this.#keys.set(value, new Set([found, key]));
  }

  delete(value: string, key: string): void {
    const found = this.#keys.get(value);
    if (typeof found === 'object') found.delete(key);
    if (found === key || (typeof found === 'object' && found.size === 0)) this.#keys.delete(value);
  }
}
