import type { Logger } from 'pino';
import type { KubeClient } from './client.ts';
import { type Clock, pause, systemClock } from './clock.ts';
import { type KubeEvent, makeEventDraft, makeSeries, seriesKey } from './event-draft.ts';
import { hasStatus } from './kube-error.ts';
import type { KubeObject } from './kube-object.ts';
import type { Draft, ResourceDefinition } from './resource.ts';
import { isUnavailable } from './retry.ts';
import { createTokenBucket } from './token-bucket.ts';
import { createWorkQueue, type WorkResult } from './work-queue.ts';

const EVENTS: ResourceDefinition = {
  group: 'events.k8s.io',
  version: 'v1',
  kind: 'Event',
  plural: 'events',
  namespaced: true,
};

/** Events that wait to be written; past that they are dropped. */
const MAX_UNWRITTEN = 500;

/** Events remembered for their repeats, as in client-go. */
const MAX_REMEMBERED = 4096;

/** A repeat after so long begins a new event, as in client-go. */
const FORGET_AFTER_MS = 6 * 60_000;

/** How long {@link EventRecorder.close} lets what waits be written. */
const CLOSE_MS = 1000;

/** Of each write. */
const CALL_MS = 5000;

export interface EventRecorderObserver {
  onWritten(): void;
  /** Lost: too many at once, or refused by the server. */
  onDropped(): void;
}

/** Tells people what happened to an object (`kubectl describe`, `kubectl events`). */
export interface EventRecorder {
  /**
   * Returns at once, and never fails. Repeats of an event (same object, type, reason and action) are counted as its series,
   * under the first note. When the server is slow or there are too many, events are lost rather than held.
   */
  record(event: KubeEvent): void;
  /** Gives what waits a second to be written, and drops the rest. */
  close(): Promise<void>;
}

export interface EventRecorderOptions {
  readonly client: KubeClient;
  /** Qualified name of the program, such as `phases.rsolv.dev/controller`. */
  readonly controller: string;
  /** Name of this process; at most 128 characters. */
  readonly instance: string;
  readonly logger: Logger;
  readonly observer?: EventRecorderObserver;
  readonly clock?: Clock;
  /** How often the count of a series is written, at most. Default 30 s. */
  readonly seriesIntervalMs?: number;
  /** Writes in the long run, and at once. Default 10 and 50. */
  readonly rate?: { readonly perSecond: number; readonly burst: number };
}

export function createEventRecorder(options: EventRecorderOptions): EventRecorder {
  const { client, controller, instance, logger, observer, clock = systemClock } = options;
  const { seriesIntervalMs = 30_000, rate = { perSecond: 10, burst: 50 } } = options;
  const events = client.resource<KubeObject>(EVENTS);
  const queue = createWorkQueue({ logger, clock });
  const bucket = createTokenBucket({ ...rate, clock });
  const closing = new AbortController();
  /** Oldest first. */
  const remembered = new Map<string, EventSeries>();
  let unwritten = 0;

  function record(event: KubeEvent): void {
    if (closing.signal.aborted) return;
    const key = seriesKey(event);
    const series = remembered.get(key);
    if (series === undefined || hasEnded(series)) begin(key, event);
    else repeat(key, series);
  }

  const hasEnded = ({ written, lastAt }: EventSeries) =>
    written !== undefined && clock.now() - lastAt >= FORGET_AFTER_MS;

  function begin(key: string, event: KubeEvent): void {
    if (unwritten === MAX_UNWRITTEN) {
      observer?.onDropped();
      return;
    }
    remembered.delete(key);
    if (remembered.size === MAX_REMEMBERED) forgetOldest();
    const now = new Date();
    const draft = makeEventDraft(event, { controller, instance }, now);
    remembered.set(key, { draft, count: 1, lastObservedTime: now, lastAt: clock.now(), written: undefined });
    unwritten += 1;
    queue.add(key);
  }

  function repeat(key: string, series: EventSeries): void {
    series.count += 1;
    series.lastObservedTime = new Date();
    series.lastAt = clock.now();
    // Until it is written for the first time, that write is under way and looks at the count again.
    if (series.written !== undefined) {
      queue.addAfter(key, Math.max(0, series.written.at + seriesIntervalMs - clock.now()));
    }
  }

  function forgetOldest(): void {
    for (const [key, { written }] of remembered) {
      if (written === undefined) continue;
      remembered.delete(key);
      return;
    }
  }

  async function write(key: string): Promise<WorkResult> {
    const series = remembered.get(key);
    if (series === undefined || series.count === series.written?.count) return 'done';
    await pause(clock, bucket.reserve(), closing.signal);
    const { count } = series;
    try {
      await send(series);
    } catch (error) {
      return fail(key, series, error);
    }
    if (series.written === undefined) unwritten -= 1;
    series.written = { count, at: clock.now() };
    observer?.onWritten();
    return series.count === count ? 'done' : { afterMs: seriesIntervalMs };
  }

  function fail(key: string, series: EventSeries, error: unknown): WorkResult {
    if (isUnavailable(error)) return 'retry';
    logger.warn({ err: error, name: series.draft.metadata.name }, 'an event was refused');
    observer?.onDropped();
    if (series.written === undefined) unwritten -= 1;
    remembered.delete(key);
    return 'done';
  }

  async function send({ draft, written, ...counted }: EventSeries): Promise<void> {
    const series = makeSeries(counted);
    try {
      if (written !== undefined) await events.mergePatch(draft.metadata, series, { timeoutMs: CALL_MS });
      else await events.create({ ...draft, ...series }, { timeoutMs: CALL_MS });
    } catch (error) {
      // Created by a call whose answer was lost.
      if (hasStatus(error, 409)) return;
      // The server keeps events for an hour only.
      if (written === undefined || !hasStatus(error, 404)) throw error;
      await events.create({ ...draft, ...series }, { timeoutMs: CALL_MS });
    }
  }

  queue.run({ concurrency: 1, worker: write });
  return {
    record,
    async close() {
      closing.abort();
      const patience = new AbortController();
      await Promise.race([queue.drain(), pause(clock, CLOSE_MS, patience.signal)]);
      patience.abort();
      await queue.shutDown();
    },
  };
}

/** An event, and how often it has happened since. */
interface EventSeries {
  readonly draft: Draft;
  count: number;
  lastObservedTime: Date;
  /** On our clock. */
  lastAt: number;
  /** What the server was told last, and when on our clock. */
  written: { readonly count: number; readonly at: number } | undefined;
}
