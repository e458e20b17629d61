import type { Logger } from 'pino';
import { type Clock, systemClock } from './clock.ts';
import { type KubeObject, keyOf } from './kube-object.ts';
import { createObjectCache, type Indexer } from './object-cache.ts';
import { type ReflectorSink, type RestartReason, runReflector } from './reflector.ts';
import type { KubeResource } from './resource.ts';

/** The server sends a bookmark every minute. */
const SILENCE_MS = 90_000;

/**
 * One change in the cache. `initial`: found by a full sync rather than by the watch, so that it may wait behind others. `raw`
 * is the object as it came, of which the cache keeps what the transform made of it.
 * The `old` of a modified object may have another uid: it was deleted and created again while nobody looked.
 */
export type InformerEvent<T, Raw = unknown> =
  | {
      readonly type: 'added';
      readonly key: string;
      readonly object: T;
      readonly raw: Raw;
      readonly initial: boolean;
    }
  | {
      readonly type: 'modified';
      readonly key: string;
      readonly object: T;
      readonly raw: Raw;
      readonly old: T;
      readonly initial: boolean;
    }
  /** `object` is the last state known. */
  | { readonly type: 'deleted'; readonly key: string; readonly object: T; readonly initial: boolean };

export interface InformerObserver {
  /** An event or bookmark has arrived; `objects` are held now. */
  onProgress(objects: number): void;
  /** A full sync begins, the first included. */
  onRelist(): void;
  /** A watch is about to be opened again. */
  onRestart(reason: RestartReason): void;
  /** A handler, transform or indexer threw. */
  onHandlerError(): void;
}

export interface InformerOptions<Raw extends KubeObject, T extends KubeObject> {
  readonly resource: KubeResource<Raw>;
  /** Absent: all namespaces. */
  readonly namespace?: string;
  readonly labelSelector?: string;
  /** Runs once on each object before it enters the cache: drop what nobody reads, `managedFields` above all. */
  readonly transform: (object: Raw) => T;
  readonly indexers?: Readonly<Record<string, Indexer<T>>>;
  /** Called in the order of changes, after the cache holds them. Must be cheap: it should but enqueue a key. */
  readonly onEvent?: (event: InformerEvent<T, Raw>) => void;
  readonly logger: Logger;
  readonly observer?: InformerObserver;
  readonly clock?: Clock;
  /** How long a watch may be silent before it is taken to be dead. Default 90 s. */
  readonly silenceMs?: number;
}

/** A copy of the objects of one resource, kept up to date. Keys are `namespace/name`. */
export interface Informer<T> {
  /** Starts to follow the server, for ever; after a {@link stop} with a full sync by difference. */
  start(): void;
  /** Resolves once nothing runs any more; no event comes after that. What is cached stays readable. */
  stop(): Promise<void>;
  /** Whether the cache has held everything since the last start. */
  hasSynced(): boolean;
  /** @throws the signal's reason when it aborts first */
  waitForSync(signal: AbortSignal): Promise<void>;
  readonly size: number;
  get(key: string): T | undefined;
  list(): T[];
  /** @throws Error when there is no such index */
  byIndex(index: string, value: string): T[];
  /** Milliseconds since the last event or bookmark; undefined before the first. */
  silentForMs(): number | undefined;
}

export function createInformer<Raw extends KubeObject, T extends KubeObject>(
  options: InformerOptions<Raw, T>,
): Informer<T> {
  const { resource, namespace, labelSelector, transform, indexers = {}, onEvent, observer } = options;
  const { clock = systemClock, silenceMs = SILENCE_MS } = options;
  const logger = options.logger.child({ resource: resource.definition.plural });
  const cache = createObjectCache<T>(indexers);
  let running: { readonly abort: AbortController; readonly loop: Promise<void> } | undefined;
  let synced = Promise.withResolvers<void>();
  let hasSynced = false;
  let lastEventAt: number | undefined;
  /** Keys met in the full sync under way. */
  let met: Set<string> | undefined;

  function guard(key: string, run: () => void): void {
    try {
      run();
    } catch (error) {
      logger.error({ err: error, key }, 'the handling of an object failed');
      observer?.onHandlerError();
    }
  }

  function emit(event: InformerEvent<T, Raw>): void {
    if (onEvent !== undefined) guard(event.key, () => onEvent(event));
  }

  const sink: ReflectorSink<Raw> = {
    beginSync() {
      met = new Set();
      observer?.onRelist();
    },
    upsert(raw) {
      const key = keyOf(raw.metadata);
      const initial = met !== undefined;
      met?.add(key);
      if (cache.get(key)?.metadata.resourceVersion === raw.metadata.resourceVersion) return;
      guard(key, () => {
        const object = transform(raw);
        const old = cache.set(key, object);
        emit(
          old === undefined
            ? { type: 'added', key, object, raw, initial }
            : { type: 'modified', key, object, raw, old, initial },
        );
      });
    },
    remove(raw) {
      const key = keyOf(raw.metadata);
      met?.delete(key);
      guard(key, () => {
        if (cache.delete(key) !== undefined)
          emit({ type: 'deleted', key, object: transform(raw), initial: false });
      });
    },
    endSync() {
      for (const key of cache.keys()) {
        const object = met?.has(key) === true ? undefined : cache.delete(key);
        if (object !== undefined) emit({ type: 'deleted', key, object, initial: true });
      }
      met = undefined;
      hasSynced = true;
      synced.resolve();
    },
    progressed() {
      lastEventAt = clock.now();
      observer?.onProgress(cache.size);
    },
    restarted: (reason) => observer?.onRestart(reason),
  };

  return {
    start() {
      if (running !== undefined) throw new Error('the informer runs already');
      const abort = new AbortController();
      const select = { namespace, labelSelector };
      const loop = runReflector({ resource, select, sink, silenceMs, logger, clock }, abort.signal);
      running = { abort, loop };
    },
    async stop() {
      running?.abort.abort();
      await running?.loop;
      running = undefined;
      met = undefined;
      if (hasSynced) synced = Promise.withResolvers();
      hasSynced = false;
    },
    hasSynced: () => hasSynced,
    waitForSync: (signal) => untilAborted(synced.promise, signal),
    get size() {
      return cache.size;
    },
    get: (key) => cache.get(key),
    list: () => cache.list(),
    byIndex: (index, value) => cache.byIndex(index, value),
    silentForMs: () => (lastEventAt === undefined ? undefined : clock.now() - lastEventAt),
  };
}

async function untilAborted(promise: Promise<void>, signal: AbortSignal): Promise<void> {
  signal.throwIfAborted();
  const { promise: aborted, reject } = Promise.withResolvers<never>();
  const onAbort = () => reject(signal.reason);
  signal.addEventListener('abort', onAbort);
  try {
    await Promise.race([promise, aborted]);
  } finally {
    signal.removeEventListener('abort', onAbort);
  }
}
