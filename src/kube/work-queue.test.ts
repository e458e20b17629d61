import pino from 'pino';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import {
  createWorkQueue,
  type GiveUpTurn,
  type Worker,
  type WorkQueue,
  type WorkResult,
} from './work-queue.ts';

const logger = pino({ level: 'silent' });
const ONE_BY_ONE = { baseMs: 5, maxMs: 60_000, perSecond: 1e6, burst: 1e6 };

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] });
});

afterEach(() => {
  vi.useRealTimers();
});

/** Lets workers go on without letting time pass. */
const settle = () => vi.advanceTimersByTimeAsync(0);

/** A worker whose keys end when the test says so. */
function heldWorker() {
  const started: string[] = [];
  const ends = new Map<string, (result: WorkResult) => void>();
  const worker: Worker = (key) => {
    started.push(key);
    return new Promise((resolve) => ends.set(key, resolve));
  };
  const end = async (key: string, result: WorkResult = 'done') => {
    ends.get(key)?.(result);
    await settle();
  };
  return { started, worker, end };
}

function recordingWorker(result: WorkResult = 'done') {
  const worked: string[] = [];
  const worker: Worker = (key) => {
    worked.push(key);
    return Promise.resolve(result);
  };
  return { worked, worker };
}

function makeQueue(): WorkQueue {
  return createWorkQueue({ logger, retryLimits: ONE_BY_ONE });
}

describe('what waits', () => {
  test('a key waits once, however often it is added', async () => {
    const queue = makeQueue();
    const { worked, worker } = recordingWorker();
    for (const key of ['a', 'b', 'a', 'a']) queue.add(key);
    expect(queue.depth).toBe(2);
    queue.run({ concurrency: 1, worker });
    await settle();
    expect(worked).toEqual(['a', 'b']);
  });

  test('normal keys come before low ones, each in the order they were added', async () => {
    const queue = makeQueue();
    const { worked, worker } = recordingWorker();
    queue.add('low 1', 'low');
    queue.add('low 2', 'low');
    queue.add('normal 1');
    queue.add('normal 2');
    queue.run({ concurrency: 1, worker });
    await settle();
    expect(worked).toEqual(['normal 1', 'normal 2', 'low 1', 'low 2']);
  });

  test('a low key that is added as normal is lifted, and a normal one never lowered', async () => {
    const queue = makeQueue();
    const { worked, worker } = recordingWorker();
    queue.add('a', 'low');
    queue.add('b', 'low');
    queue.add('b');
    queue.add('b', 'low');
    expect(queue.depth).toBe(2);
    queue.run({ concurrency: 1, worker });
    await settle();
    expect(worked).toEqual(['b', 'a']);
  });
});

describe('what is worked on', () => {
  test('no more keys at once than allowed', async () => {
    const queue = makeQueue();
    const { started, worker, end } = heldWorker();
    for (const key of ['a', 'b', 'c']) queue.add(key);
    queue.run({ concurrency: 2, worker });
    await settle();
    expect(started).toEqual(['a', 'b']);
    await end('a');
    expect(started).toEqual(['a', 'b', 'c']);
  });

  test('a key that is added meanwhile is worked on again afterwards, once, and never at the same time', async () => {
    const queue = makeQueue();
    const { started, worker, end } = heldWorker();
    queue.run({ concurrency: 4, worker });
    queue.add('a');
    await settle();
    queue.add('a');
    queue.add('a');
    await settle();
    expect(started).toEqual(['a']);
    expect(queue.depth).toBe(0);
    await end('a');
    expect(started).toEqual(['a', 'a']);
    await end('a');
    expect(started).toEqual(['a', 'a']);
  });

  test('a key whose worker gives up its turn is still at hand, and makes room for one more', async () => {
    const queue = makeQueue();
    const { started, worker, end } = heldWorker();
    const turns = new Map<string, GiveUpTurn>();
    const wanted: string[] = [];
    for (const key of ['a', 'b', 'c']) queue.add(key);
    queue.run({
      concurrency: 1,
      worker(key, giveUpTurn) {
        turns.set(key, giveUpTurn);
        return worker(key, giveUpTurn);
      },
    });
    await settle();
    expect(started).toEqual(['a']);
    for (const _ of [1, 2]) turns.get('a')?.(() => wanted.push('a'));
    await settle();
    expect(started).toEqual(['a', 'b']);
    expect(wanted).toEqual([]);
    queue.add('a');
    expect(wanted).toEqual(['a']);
    await end('b');
    expect(started).toEqual(['a', 'b', 'c']);
    await vi.advanceTimersByTimeAsync(1000);
    expect(queue.unfinishedWork().totalSeconds).toBe(2);
    await end('c');
    await end('a');
    expect(started).toEqual(['a', 'b', 'c', 'a']);
  });

  test('a key that was added again before its worker gave up its turn is wanted then', async () => {
    const queue = makeQueue();
    const { worker, end } = heldWorker();
    const wanted: string[] = [];
    const turns: GiveUpTurn[] = [];
    queue.run({
      concurrency: 1,
      worker(key, giveUpTurn) {
        turns.push(giveUpTurn);
        return worker(key, giveUpTurn);
      },
    });
    queue.add('a');
    await settle();
    queue.add('a');
    turns[0]?.(() => wanted.push('a'));
    expect(wanted).toEqual(['a']);
    await end('a');
    // The work on it that is under way by now is another.
    turns[0]?.(() => wanted.push('too late'));
    queue.add('a');
    expect(wanted).toEqual(['a']);
  });

  test('a queue is drained and shut down when those are done, too, that gave up their turn', async () => {
    const queue = makeQueue();
    const { worker, end } = heldWorker();
    queue.run({
      concurrency: 1,
      worker(key, giveUpTurn) {
        giveUpTurn(() => undefined);
        return worker(key, giveUpTurn);
      },
    });
    queue.add('a');
    queue.add('b');
    await settle();
    const ended: string[] = [];
    void queue.drain().then(() => ended.push('drained'));
    void queue.shutDown().then(() => ended.push('shut down'));
    await end('b');
    expect(ended).toEqual([]);
    await end('a');
    expect(ended).toEqual(['drained', 'shut down']);
  });

  test('whoever adds a key does not run the worker', () => {
    const queue = makeQueue();
    const { worked, worker } = recordingWorker();
    queue.run({ concurrency: 1, worker });
    queue.add('a');
    expect(worked).toEqual([]);
  });

  test('unfinished work is that of the keys at hand', async () => {
    const queue = makeQueue();
    const { worker, end } = heldWorker();
    queue.run({ concurrency: 2, worker });
    queue.add('a');
    await vi.advanceTimersByTimeAsync(2000);
    queue.add('b');
    await vi.advanceTimersByTimeAsync(1000);
    expect(queue.unfinishedWork()).toEqual({ totalSeconds: 4, longestSeconds: 3 });
    await end('a');
    await end('b');
    expect(queue.unfinishedWork()).toEqual({ totalSeconds: 0, longestSeconds: 0 });
  });
});

describe('delays', () => {
  test('the shortest delay of a key counts', async () => {
    const queue = makeQueue();
    const { worked, worker } = recordingWorker();
    queue.run({ concurrency: 1, worker });
    queue.addAfter('a', 1000);
    queue.addAfter('a', 100);
    queue.addAfter('a', 500);
    await vi.advanceTimersByTimeAsync(99);
    expect(worked).toEqual([]);
    await vi.advanceTimersByTimeAsync(1);
    expect(worked).toEqual(['a']);
    await vi.advanceTimersByTimeAsync(10_000);
    expect(worked).toEqual(['a']);
  });

  test('a delay beyond what timers hold does not fire at once', async () => {
    const queue = makeQueue();
    const { worked, worker } = recordingWorker();
    queue.run({ concurrency: 1, worker });
    queue.addAfter('a', 365 * 86_400_000);
    await vi.advanceTimersByTimeAsync(86_400_000);
    expect(worked).toEqual([]);
  });

  test('a worker may ask for its key again', async () => {
    const queue = makeQueue();
    const { worked, worker } = recordingWorker({ afterMs: 1000 });
    queue.run({ concurrency: 1, worker });
    queue.add('a');
    await vi.advanceTimersByTimeAsync(2999);
    expect(worked).toEqual(['a', 'a', 'a']);
  });
});

describe('retries', () => {
  test.each([
    { name: 'asked for', worker: (): Promise<WorkResult> => Promise.resolve('retry') },
    { name: 'after an error', worker: (): Promise<WorkResult> => Promise.reject(new Error('no')) },
    {
      name: 'after an error thrown at once',
      worker: (): Promise<WorkResult> => {
        throw new Error('no');
      },
    },
  ])('the wait doubles from 5 ms, $name', async ({ worker }) => {
    const queue = makeQueue();
    const times: number[] = [];
    queue.run({
      concurrency: 1,
      worker: () => {
        times.push(performance.now());
        return worker();
      },
    });
    const start = performance.now();
    queue.add('a');
    await vi.advanceTimersByTimeAsync(100);
    expect(times.map((time) => time - start)).toEqual([0, 5, 15, 35, 75]);
    expect(queue.failures('a')).toBe(5);
  });

  test('the wait has a ceiling', async () => {
    const queue = makeQueue();
    const { worked, worker } = recordingWorker('retry');
    queue.run({ concurrency: 1, worker });
    queue.add('a');
    await vi.advanceTimersByTimeAsync(600_000);
    const before = worked.length;
    await vi.advanceTimersByTimeAsync(60_000);
    expect(worked.length).toBe(before + 1);
  });

  test('success ends the backoff', async () => {
    const queue = makeQueue();
    const results: WorkResult[] = ['retry', 'retry', 'done'];
    queue.run({ concurrency: 1, worker: () => Promise.resolve(results.shift() ?? 'done') });
    queue.add('a');
    await vi.advanceTimersByTimeAsync(100);
    expect(results).toEqual([]);
    expect(queue.failures('a')).toBe(0);
  });

  test('many keys that fail come back no faster than the bucket allows', async () => {
    const queue = createWorkQueue({
      logger,
      retryLimits: { baseMs: 5, maxMs: 60_000, perSecond: 10, burst: 2 },
    });
    const attempts = new Map<string, number>();
    queue.run({
      concurrency: 10,
      worker: (key) => {
        attempts.set(key, (attempts.get(key) ?? 0) + 1);
        return Promise.resolve(attempts.get(key) === 1 ? 'retry' : 'done');
      },
    });
    for (let index = 0; index < 12; index += 1) queue.add(`${index}`);
    const retried = () => [...attempts.values()].filter((count) => count === 2).length;
    await vi.advanceTimersByTimeAsync(50);
    expect(retried()).toBe(2);
    await vi.advanceTimersByTimeAsync(500);
    expect(retried()).toBe(7);
    await vi.advanceTimersByTimeAsync(500);
    expect(retried()).toBe(12);
  });
});

describe('the end', () => {
  test('drain waits for what waits and what is at hand', async () => {
    const queue = makeQueue();
    const { worker, end } = heldWorker();
    queue.add('a');
    queue.add('b');
    queue.run({ concurrency: 1, worker });
    const drained = vi.fn();
    const done = queue.drain().then(drained);
    await settle();
    await end('a');
    expect(drained).not.toHaveBeenCalled();
    await end('b');
    await done;
  });

  test('shutDown finishes what is at hand, drops the rest, and takes nothing more', async () => {
    const queue = makeQueue();
    const { started, worker, end } = heldWorker();
    queue.run({ concurrency: 1, worker });
    queue.add('at hand');
    queue.add('waiting');
    queue.addAfter('delayed', 10);
    await settle();
    const over = vi.fn();
    const done = queue.shutDown().then(over);
    queue.add('late');
    queue.add('at hand');
    await vi.advanceTimersByTimeAsync(1000);
    expect(over).not.toHaveBeenCalled();
    await end('at hand', 'retry');
    await done;
    await vi.advanceTimersByTimeAsync(1000);
    expect(started).toEqual(['at hand']);
    expect(vi.getTimerCount()).toBe(0);
  });
});

test('the observer sees client-go’s metrics', async () => {
  const seen: string[] = [];
  const queue = createWorkQueue({
    logger,
    retryLimits: ONE_BY_ONE,
    observer: {
      onDepth: (depth) => seen.push(`depth ${depth}`),
      onAdd: () => seen.push('add'),
      onRetry: () => seen.push('retry'),
      onTake: (seconds) => seen.push(`taken after ${seconds}`),
      onWorked: (seconds) => seen.push(`worked ${seconds}`),
    },
  });
  const { worker, end } = heldWorker();
  queue.add('a');
  queue.add('a');
  await vi.advanceTimersByTimeAsync(1000);
  queue.run({ concurrency: 1, worker });
  await vi.advanceTimersByTimeAsync(2000);
  await end('a', 'retry');
  expect(seen).toEqual(['add', 'depth 1', 'depth 0', 'taken after 1', 'worked 2', 'retry']);
});
