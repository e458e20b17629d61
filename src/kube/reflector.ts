import type { Logger } from 'pino';
import { createBackoff } from './backoff.ts';
import { type Clock, pause } from './clock.ts';
import { hasStatus, KubeError } from './kube-error.ts';
import type { KubeObject } from './kube-object.ts';
import type { KubeResource, SelectOptions, WatchEvent } from './resource.ts';

/** Watches end by themselves after 5 to 10 minutes, as in client-go, so that they spread over the API servers again. */
const WATCH_SECONDS = { min: 300, max: 600 } as const;

/** On the bookmark that ends the initial events of a watch (KEP-3157). */
const INITIAL_EVENTS_END = 'k8s.io/initial-events-end';

/** Why a watch had to be opened again. */
export type RestartReason = 'ended' | 'expired' | 'silent' | 'failed';

/** Where the reflector writes what it sees. None of these may throw. */
export interface ReflectorSink<T> {
  /** A full sync begins: what is not upserted until {@link endSync} is gone. Called again when it has to start anew. */
  beginSync(): void;
  upsert(object: T): void;
  remove(object: T): void;
  endSync(): void;
  /** An event or bookmark was taken in. */
  progressed(): void;
  restarted(reason: RestartReason): void;
}

export interface ReflectorOptions<T extends KubeObject> {
  readonly resource: KubeResource<T>;
  readonly select: SelectOptions;
  readonly sink: ReflectorSink<T>;
  /** Without event or bookmark for so long, a watch is taken to be dead. */
  readonly silenceMs: number;
  readonly logger: Logger;
  readonly clock: Clock;
}

/**
 * Keeps the sink like the objects of the server, until the signal aborts; it never fails.
 *
 * A full sync reads everything, by a watch that begins with what is there, or on older servers page by page. After that a
 * watch is resumed where the last one stopped, however that ended; the server cuts watches as a matter of course. Two ends
 * ask for a full sync: the server no longer knows our place (410), and silence, since a server whose storage was restored to
 * an older state is silent until it has caught up with a place that it never knew.
 */
export async function runReflector<T extends KubeObject>(
  options: ReflectorOptions<T>,
  signal: AbortSignal,
): Promise<void> {
  const { sink, logger, clock } = options;
  const backoff = createBackoff({ baseMs: 100, maxMs: 10_000 });
  const place: Place = { resourceVersion: undefined, watchList: true };
  const progressed = () => {
    backoff.reset();
    sink.progressed();
  };
  while (!signal.aborted) {
    const error = await follow(options, place, progressed, signal).catch((failure: unknown) => failure);
    if (signal.aborted) return;
    sink.restarted(error === undefined ? 'ended' : judge(error, place, logger));
    await pause(clock, Math.max(backoff.next(), askedToWaitMs(error)), signal);
  }
}

function askedToWaitMs(error: unknown): number {
  return error instanceof KubeError ? 1000 * (error.retryAfterSeconds ?? 0) : 0;
}

/** How far the sink is. */
interface Place {
  /** Undefined: a full sync is due. */
  resourceVersion: string | undefined;
  /** Whether the server can begin a watch with what is there. */
  watchList: boolean;
}

/** One watch, from the place on, until it ends or throws. */
async function follow<T extends KubeObject>(
  { resource, select, sink, silenceMs }: ReflectorOptions<T>,
  place: Place,
  progressed: () => void,
  signal: AbortSignal,
): Promise<void> {
  if (place.resourceVersion === undefined) sink.beginSync();
  if (place.resourceVersion === undefined && !place.watchList) {
    place.resourceVersion = await listInto(resource, select, sink, signal);
    sink.endSync();
    progressed();
  }
  const sendInitialEvents = place.resourceVersion === undefined;
  const { min, max } = WATCH_SECONDS;
  const timeoutSeconds = Math.round(min + Math.random() * (max - min));
  const { resourceVersion } = place;
  const events = resource.watch({
    ...select,
    resourceVersion,
    sendInitialEvents,
    timeoutSeconds,
    silenceMs,
    signal,
  });
  for await (const event of events) {
    signal.throwIfAborted();
    take(event, sink);
    const isComplete = sendInitialEvents && isInitialEventsEnd(event);
    if (isComplete) sink.endSync();
    // Until the initial events have ended they have no place to resume from: they come in no order.
    if (place.resourceVersion !== undefined || isComplete) {
      place.resourceVersion = event.object.metadata.resourceVersion;
    }
    progressed();
  }
}

function take<T>(event: WatchEvent<T>, sink: ReflectorSink<T>): void {
  if (event.type === 'ADDED' || event.type === 'MODIFIED') sink.upsert(event.object);
  else if (event.type === 'DELETED') sink.remove(event.object);
}

function isInitialEventsEnd(event: WatchEvent<KubeObject>): boolean {
  return event.type === 'BOOKMARK' && event.object.metadata.annotations?.[INITIAL_EVENTS_END] === 'true';
}

/** Answers the place that the list was read at. */
async function listInto<T extends KubeObject>(
  resource: KubeResource<T>,
  select: SelectOptions,
  sink: ReflectorSink<T>,
  signal: AbortSignal,
): Promise<string> {
  let token: string | undefined;
  for (;;) {
    const page = await resource.listPage({ ...select, continue: token, signal });
    signal.throwIfAborted();
    for (const object of page.items) sink.upsert(object);
    token = page.continue;
    if (token === undefined) return page.resourceVersion;
  }
}

/** What a failed watch means for the place. */
function judge(error: unknown, place: Place, logger: Logger): RestartReason {
  if (hasStatus(error, 410)) {
    place.resourceVersion = undefined;
    logger.info('the watch is too old to resume, everything is read again');
    return 'expired';
  }
  if (error instanceof KubeError && error.status === 0 && error.reason === 'Timeout') {
    place.resourceVersion = undefined;
    logger.warn('the watch went silent, everything is read again');
    return 'silent';
  }
  if (hasStatus(error, 422) && place.resourceVersion === undefined && place.watchList) {
    place.watchList = false;
    logger.info('the server cannot begin a watch with what is there, it is listed instead');
    return 'failed';
  }
  logger.warn({ err: error }, 'the watch failed, it is opened again');
  return 'failed';
}
