import type { Logger } from 'pino';
import { type Clock, systemClock } from './clock.ts';
import { createRetryLimiter, type RetryLimits } from './retry-limiter.ts';

/** `low` keys are taken when no normal one waits: a full sync must not delay what has just happened. */
export type Priority = 'normal' | 'low';

/** What becomes of a key: forgotten, tried again with backoff, or looked at again after so long. */
export type WorkResult = 'done' | 'retry' | { readonly afterMs: number };

/** Works on one key. Throwing is `retry`, and logged. */
export type Worker = (key: string, giveUpTurn: GiveUpTurn) => Promise<WorkResult>;

/**
 * Says that what is left of a key's work is of a kind that others need not wait for: another key is taken up meanwhile, and this one
 * stays in hand, so that it is still not worked on twice. Does nothing the second time, or when the work is done.
 * @param onWanted told each time that the key is added again, and waits for this work to end
 */
export type GiveUpTurn = (onWanted: () => void) => void;

/** Bound to the metrics that client-go has (k8s.io/component-base/metrics/prometheus/workqueue). */
export interface WorkQueueObserver {
  onDepth(waiting: number): void;
  onAdd(): void;
  onRetry(): void;
  /** A key was taken up after it had waited so long. */
  onTake(waitedSeconds: number): void;
  onWorked(seconds: number): void;
}

/**
 * client-go's work queue. A key waits at most once, however often it is added, and no key is worked on twice at the same
 * time: one that is added meanwhile is worked on again afterwards. So a worker that reads the state of things after it was
 * called has always seen the newest.
 */
export interface WorkQueue {
  /** Adding a waiting key again does nothing, but that `normal` lifts a `low` one. */
  add(key: string, priority?: Priority): void;
  /** Adds the key after so long. Of several delays of one key the shortest counts; {@link add} is not delayed by any. */
  addAfter(key: string, ms: number, priority?: Priority): void;
  /** Adds the key after its backoff: longer with each failure, and no faster over all keys than the bucket allows. */
  addRateLimited(key: string): void;
  /** Ends the backoff of a key. */
  forget(key: string): void;
  /** Failures of a key since it was last forgotten. */
  failures(key: string): number;
  /** Keys that wait; neither those being worked on nor the delayed ones. */
  readonly depth: number;
  /** Seconds spent so far on the keys being worked on: of all together, and of the one that takes longest. */
  unfinishedWork(): { readonly totalSeconds: number; readonly longestSeconds: number };
  /** Starts working; to be called once. */
  run(options: RunOptions): void;
  /** Resolves when no key waits and none is worked on; delayed ones do not count. */
  drain(): Promise<void>;
  /** Takes up no more keys and drops those that wait; resolves when what is in hand has finished. */
  shutDown(): Promise<void>;
}

export interface RunOptions {
  /** Keys worked on at once, without those whose workers gave up their turn: how many that are is for the worker to bound. */
  readonly concurrency: number;
  readonly worker: Worker;
}

export interface WorkQueueOptions {
  readonly logger: Logger;
  readonly observer?: WorkQueueObserver;
  readonly clock?: Clock;
  readonly retryLimits?: RetryLimits;
}

/** setTimeout takes no more (24.8 days). A key that is woken early is merely looked at again. */
const LONGEST_DELAY_MS = 2 ** 31 - 1;

export function createWorkQueue(options: WorkQueueOptions): WorkQueue {
  const { logger, observer, clock = systemClock, retryLimits } = options;
  const limiter = createRetryLimiter(clock, retryLimits);
  /** When each waiting key was added; a Map keeps that order. */
  const waiting: Record<Priority, Map<string, number>> = { normal: new Map(), low: new Map() };
  const processing = new Map<string, InHand>();
  /** Of those that count against the concurrency. */
  const turns = new Set<symbol>();
  /** Keys that were added while they were worked on. */
  const again = new Map<string, Priority>();
  const delayed = new Map<string, Delay>();
  let work: RunOptions | undefined;
  let shut = false;
  let pumping = false;
  let idle = Promise.withResolvers<void>();

  const depth = () => waiting.normal.size + waiting.low.size;

  function add(key: string, priority: Priority = 'normal'): void {
    if (shut) return;
    if (!isDirty(key)) observer?.onAdd();
    const inHand = processing.get(key);
    if (inHand === undefined) return enqueue(key, priority);
    if (again.get(key) !== 'normal') again.set(key, priority);
    inHand.onWanted?.();
  }

  const isDirty = (key: string) => waiting.normal.has(key) || waiting.low.has(key) || again.has(key);

  function enqueue(key: string, priority: Priority): void {
    const addedAt = waiting.low.get(key);
    if (waiting.normal.has(key) || (addedAt !== undefined && priority === 'low')) return;
    waiting.low.delete(key);
    waiting[priority].set(key, addedAt ?? clock.now());
    observer?.onDepth(depth());
    pumpSoon();
  }

  function addAfter(key: string, ms: number, priority: Priority = 'normal'): void {
    if (shut) return;
    const dueAt = clock.now() + ms;
    const earlier = delayed.get(key);
    if (earlier !== undefined && earlier.dueAt <= dueAt) return;
    earlier?.cancel();
    const cancel = clock.after(Math.min(ms, LONGEST_DELAY_MS), () => {
      delayed.delete(key);
      add(key, priority);
    });
    delayed.set(key, { dueAt, cancel });
  }

  function addRateLimited(key: string): void {
    observer?.onRetry();
    addAfter(key, limiter.when(key));
  }

  /** Not at once: whoever adds a key is not to run the worker. */
  function pumpSoon(): void {
    if (pumping) return;
    pumping = true;
    queueMicrotask(pump);
  }

  function pump(): void {
    pumping = false;
    if (work !== undefined) startWorkers(work);
    if (processing.size > 0 || depth() > 0) return;
    idle.resolve();
    idle = Promise.withResolvers();
  }

  function startWorkers({ concurrency, worker }: RunOptions): void {
    while (turns.size < concurrency) {
      const key = take();
      if (key === undefined) return;
      void process(key, worker);
    }
  }

  function take(): string | undefined {
    for (const keys of [waiting.normal, waiting.low]) {
      for (const [key, addedAt] of keys) {
        keys.delete(key);
        observer?.onDepth(depth());
        observer?.onTake((clock.now() - addedAt) / 1000);
        return key;
      }
    }
    return undefined;
  }

  async function process(key: string, worker: Worker): Promise<void> {
    const startedAt = clock.now();
    const inHand: InHand = { startedAt };
    processing.set(key, inHand);
    const turn = Symbol(key);
    turns.add(turn);
    let result: WorkResult = 'retry';
    try {
      result = await worker(key, (onWanted) => {
        if (!turns.delete(turn)) return;
        inHand.onWanted = onWanted;
        if (again.has(key)) onWanted();
        pumpSoon();
      });
    } catch (error) {
      logger.error({ err: error, key, failures: limiter.failures(key) }, 'work on a key failed');
    }
    processing.delete(key);
    turns.delete(turn);
    observer?.onWorked((clock.now() - startedAt) / 1000);
    settle(key, result);
    pumpSoon();
  }

  function settle(key: string, result: WorkResult): void {
    if (result === 'retry') {
      addRateLimited(key);
    } else {
      limiter.forget(key);
      if (result !== 'done') addAfter(key, result.afterMs);
    }
    const priority = again.get(key);
    again.delete(key);
    if (priority !== undefined && !shut) enqueue(key, priority);
  }

  return {
    add,
    addAfter,
    addRateLimited,
    forget: (key) => limiter.forget(key),
    failures: (key) => limiter.failures(key),
    get depth() {
      return depth();
    },
    unfinishedWork() {
      const now = clock.now();
      const seconds = [...processing.values()].map(({ startedAt }) => (now - startedAt) / 1000);
      return {
        totalSeconds: seconds.reduce((sum, each) => sum + each, 0),
        longestSeconds: Math.max(0, ...seconds),
      };
    },
    run(options) {
      if (work !== undefined) throw new Error('the work queue runs already');
      work = options;
      pumpSoon();
    },
    drain() {
      pumpSoon();
      return idle.promise;
    },
    shutDown() {
      shut = true;
      for (const { cancel } of delayed.values()) cancel();
      delayed.clear();
      waiting.normal.clear();
      waiting.low.clear();
      observer?.onDepth(0);
      pumpSoon();
      return idle.promise;
    },
  };
}

/** A key that is worked on. */
interface InHand {
  readonly startedAt: number;
  onWanted?: () => void;
}

interface Delay {
  readonly dueAt: number;
  readonly cancel: () => void;
}
