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
  const indices = Object.entries(indexers).map(([name, indexer]) => ({
    name,
    indexer,
    keys: new Map<string, Set<string>>(),
  }));

  function unindex(key: string, object: T): void {
    for (const { indexer, keys } of indices) {
      for (const value of indexer(object)) {
        const found = keys.get(value);
        found?.delete(key);
        if (found?.size === 0) keys.delete(value);
      }
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
      return [...(found.keys.get(value) ?? [])].flatMap((key) => objects.get(key) ?? []);
    },
    set(key, object) {
      // First, for an indexer may throw, and then nothing has changed.
      const added = indices.map(({ indexer, keys }) => ({ keys, values: indexer(object) }));
      const old = objects.get(key);
      if (old !== undefined) unindex(key, old);
      objects.set(key, object);
      for (const { keys, values } of added) {
        for (const value of values) {
          const found = keys.get(value);
          if (found === undefined) keys.set(value, new Set([key]));
          else found.add(key);
        }
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
