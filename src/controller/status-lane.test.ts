import { setImmediate } from 'node:timers/promises';
import { describe, expect, test } from 'vitest';
import { StatusLane } from './status-lane.ts';

/** So many writes sent into a lane, each of which ends when the test says so. */
function fill(lane: StatusLane, count: number) {
  const begun: number[] = [];
  const ends: ((error?: Error) => void)[] = [];
  const entered: Promise<{ readonly done: Promise<number> }>[] = [];
  for (let index = 0; index < count; index += 1) {
    const write = () => {
      begun.push(index);
      return new Promise<number>((resolve, reject) => {
        ends[index] = (error) => (error === undefined ? resolve(index) : reject(error));
      });
    };
    entered.push(lane.enter(`slot ${index % 10}`, write));
  }
  const end = async (index: number, error?: Error) => {
    ends[index]?.(error);
    await setImmediate();
  };
  return { begun, entered, end };
}

describe('statuses are written', () => {
  test('two at once while few wait, in the order they came', async () => {
    const { begun, end } = fill(new StatusLane(8), 4);
    await setImmediate();
    expect(begun).toEqual([0, 1]);
    await end(1);
    expect(begun).toEqual([0, 1, 2]);
    await end(0);
    expect(begun).toEqual([0, 1, 2, 3]);
  });

  test('one more at once for every 16 that wait, and one less when they are fewer', async () => {
    const { begun, end } = fill(new StatusLane(8), 40);
    await setImmediate();
    // 36 wait.
    expect(begun).toEqual([0, 1, 2, 3]);
    // 35 to 31 wait.
    for (let index = 0; index < 5; index += 1) await end(index);
    expect(begun).toHaveLength(9);
    // For 31 three at once are enough.
    await end(5);
    expect(begun).toHaveLength(9);
  });

  test('at most so many at once, however many wait', async () => {
    const { begun } = fill(new StatusLane(3), 100);
    await setImmediate();
    expect(begun).toEqual([0, 1, 2]);
  });
});

test('how many wait is told, down to none', async () => {
  const told: number[] = [];
  const lane = new StatusLane(1, (count) => told.push(count));
  const { end } = fill(lane, 3);
  for (const index of [0, 1, 2]) await end(index);
  await setImmediate();
  for (const index of [0, 1, 2]) await end(index);
  expect(Math.max(...told)).toBe(2);
  expect(told.at(-1)).toBe(0);
});

test('those of a slot that is hurried are written at once, whatever else waits', async () => {
  const lane = new StatusLane(2);
  const { begun, end } = fill(lane, 14);
  lane.hurry('slot 3');
  lane.hurry('slot 3');
  await setImmediate();
  expect(begun).toEqual([0, 1, 3, 13]);
  for (const index of [0, 1]) await end(index);
  expect(begun).toHaveLength(4);
  for (const index of [3, 13]) await end(index);
  expect(begun.slice(4)).toEqual([2, 4]);
});

test('no more wait than have all written at once that may be; the next has its place when one has gone', async () => {
  const { begun, entered, end } = fill(new StatusLane(1), 19);
  let places = 0;
  for (const entering of entered) void entering.then(() => (places += 1));
  await setImmediate();
  // One is written, 16 wait.
  expect(places).toBe(17);
  await end(0);
  expect(places).toBe(18);
  await end(1);
  expect(places).toBe(19);
  for (let index = 2; index < 19; index += 1) await end(index);
  expect(begun).toEqual([...Array(19).keys()]);
});

test('one that fails is told to whom it belongs, and the others go on', async () => {
  const { entered, end } = fill(new StatusLane(1), 2);
  await setImmediate();
  await end(0, new Error('refused'));
  await end(1);
  const [first, second] = await Promise.all(entered);
  await expect(first?.done).rejects.toThrow('refused');
  await expect(second?.done).resolves.toBe(1);
});
