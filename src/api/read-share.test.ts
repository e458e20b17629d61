import { expect, test } from 'vitest';
import { ReadShare } from './read-share.ts';

const share = (limits: Partial<ConstructorParameters<typeof ReadShare>[0]> = {}) =>
  new ReadShare({ atOnce: 2, waiting: 1, waitMs: 60_000, ...limits });

test('a customer with all its turns taken keeps nobody else waiting', async () => {
  const reads = share();
  const first = await reads.begin('acme');
  await reads.begin('acme');
  const order: string[] = [];
  const third = reads.begin('acme').then(() => order.push('acme'));
  await reads.begin('globex').then(() => order.push('globex'));
  first.end();
  await third;
  expect(order).toEqual(['globex', 'acme']);
});

test('turns pass on in the order in which they were asked for', async () => {
  const reads = share({ atOnce: 1, waiting: 2 });
  const first = await reads.begin('acme');
  const order: string[] = [];
  const waiting = ['second', 'third'].map(async (name) => {
    const turn = await reads.begin('acme');
    order.push(name);
    turn.end();
  });
  first.end();
  await Promise.all(waiting);
  expect(order).toEqual(['second', 'third']);
});

test('more than may wait are refused, and say when to come again', async () => {
  const reads = share();
  await reads.begin('acme');
  const second = await reads.begin('acme');
  const waiting = reads.begin('acme');
  await expect(reads.begin('acme')).rejects.toMatchObject({
    code: 'OVERLOADED',
    headers: { 'retry-after': '2' },
  });
  second.end();
  await waiting;
});

test('who has waited too long is refused, and takes no turn afterwards', async () => {
  const reads = share({ atOnce: 1, waitMs: 1 });
  const first = await reads.begin('acme');
  await expect(reads.begin('acme')).rejects.toMatchObject({ code: 'OVERLOADED' });
  first.end();
  const next = await reads.begin('acme');
  next.end();
  await reads.begin('acme');
});
