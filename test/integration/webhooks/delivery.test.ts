import { randomBytes } from 'node:crypto';
import { sql } from 'slonik';
import { afterAll, describe, expect, test } from 'vitest';
import { z } from 'zod';
import { WebhookDelivery } from '../../../src/controller/webhook-delivery.ts';
import { createWebhookSender, type WebhookSender } from '../../../src/controller/webhook-sender.ts';
import { WEBHOOK_EVENT_TYPES } from '../../../src/domain/webhook-event.ts';
import { RETRY_DELAYS_SECONDS } from '../../../src/domain/webhook-schedule.ts';
import { showWebhookSecret } from '../../../src/domain/webhook-signature.ts';
import { archiveRun } from '../../../src/store/archive.ts';
import {
  claimDeliveries,
  measureOutbox,
  recordDelivered,
  recordFailedAttempt,
} from '../../../src/store/webhook-attempts.ts';
import {
  deleteOldDeliveries,
  enqueueTestDelivery,
  findDelivery,
  listDeliveries,
  replayDelivery,
} from '../../../src/store/webhook-deliveries.ts';
import {
  createWebhookSubscription,
  enableWebhookSubscription,
  findWebhookSubscription,
} from '../../../src/store/webhook-subscriptions.ts';
import { createMetrics } from '../../../src/telemetry/metrics.ts';
import { freshDatabase } from '../../fixtures/database.ts';
import { runLogger } from '../../fixtures/run-log/of-test.ts';
import { makeCustomer, makeRun, openDatabase } from '../store/builders.ts';
import { type Receiver, startReceiver, verified } from './receiver.ts';

const { url } = await freshDatabase();
const database = await openDatabase(url);
const { pool } = database;
const sender = createWebhookSender({
  allowPrivateAddresses: true,
  userAgent: 'PhaseRun/test',
  timeoutMs: 2_000,
});
afterAll(() => Promise.all([database.close(), sender.close()]));

const logger = runLogger('webhooks');
const metrics = createMetrics({ defaultMetrics: false });
const never = new AbortController().signal;

function deliverer(sending: Pick<WebhookSender, 'send'> = sender, concurrency = 8) {
  return new WebhookDelivery({ pool, sender: sending, metrics, logger, concurrency });
}

test('an archived run arrives signed, and is delivered once', async () => {
  const { receiver, secret, subscription, customerId } = await subscribed();
  const run = makeRun({ customerId, phase: 'mitigation', data: { fixed: true } });
  await archiveRun(pool, run);
  await deliverer().run(never);
  await deliverer().run(never);
  expect(receiver.received.map(({ id }) => id).toSorted()).toEqual([
    `run_${run.runId}_completed`,
    expect.stringMatching(/^session_[0-9a-f-]{36}_completed$/),
  ]);
  for (const request of receiver.received)
    expect(verified(secret, request)).toMatchObject({ specversion: '1.0', id: request.id });
  expect(await listDeliveries(pool, subscription, { limit: 10 })).toMatchObject([
    { state: 'delivered', attempts: 1, lastStatus: 200, lastError: null, nextAttemptAt: null },
    { state: 'delivered', attempts: 1 },
  ]);
});

test('two deliverers at once deliver each event once', async () => {
  const { receiver, subscription } = await subscribed();
  receiver.answer((_request, response) => setTimeout(() => response.end(), 10));
  for (let count = 0; count < 40; count += 1) await enqueueTestDelivery(pool, subscription);
  await Promise.all([deliverer().run(never), deliverer().run(never), deliverer().run(never)]);
  expect(receiver.received).toHaveLength(40);
  expect(new Set(receiver.received.map(({ id }) => id)).size).toBe(40);
});

test('who dies between sending and recording leaves it to be sent again, under the same id', async () => {
  const { receiver, subscription } = await subscribed();
  const queued = await enqueueTestDelivery(pool, subscription);
  const [claim] = await claimDeliveries(pool, {
    limit: 4,
    busySubscriptions: [],
    busyCustomers: [],
    leaseSeconds: 60,
  });
  if (claim === undefined) throw new Error('nothing to claim');
  await sender.send(claim.url, {
    id: claim.eventId,
    timestamp: 0,
    body: claim.body,
    secret: randomBytes(32),
  });
  await deliverer().run(never);
  expect(receiver.received).toHaveLength(1);
  await makeDue(claim.id);
  await deliverer().run(never);
  expect(receiver.received.map(({ id }) => id)).toEqual([queued?.eventId, queued?.eventId]);
  expect(receiver.received[1]?.body).toBe(receiver.received[0]?.body);
  expect(await onlyDelivery(subscription)).toMatchObject({ state: 'delivered', attempts: 2 });
});

test('a late record of success counts, one of failure does not', async () => {
  const { subscription } = await subscribed();
  await enqueueTestDelivery(pool, subscription);
  const claim = () =>
    claimDeliveries(pool, { limit: 1, busySubscriptions: [], busyCustomers: [], leaseSeconds: 0 });
  const [first] = await claim();
  const [second] = await claim();
  if (first === undefined || second === undefined) throw new Error('nothing to claim');
  await recordFailedAttempt(pool, first, { error: 'late', isGone: true, disableAfterDays: 5 });
  expect(await onlyDelivery(subscription)).toMatchObject({ state: 'pending', attempts: 2, lastError: null });
  await recordDelivered(pool, first, 200);
  await recordFailedAttempt(pool, second, { error: 'later', isGone: true, disableAfterDays: 5 });
  expect(await onlyDelivery(subscription)).toMatchObject({ state: 'delivered', lastStatus: 200 });
  expect(await subscriptionOf(subscription)).toMatchObject({ disabledAt: null });
});

test('a failed attempt is made again later and later, and given up after the last', async () => {
  const { receiver, subscription } = await subscribed();
  receiver.answer((_request, response) => response.writeHead(503).end());
  await enqueueTestDelivery(pool, subscription);
  for (const [index, delay] of RETRY_DELAYS_SECONDS.entries()) {
    await deliverer().run(never);
    const { id, nextAttemptAt, lastAttemptAt, ...rest } = await onlyDelivery(subscription);
    expect(rest).toMatchObject({
      state: 'pending',
      attempts: index + 1,
      lastStatus: 503,
      lastError: 'answered 503',
    });
    const seconds = (Date.parse(nextAttemptAt ?? '') - Date.parse(lastAttemptAt ?? '')) / 1000;
    expect(seconds).toBeGreaterThanOrEqual(delay * 0.8);
    expect(seconds).toBeLessThan(delay * 1.2 + 5);
    await deliverer().run(never);
    expect(receiver.received).toHaveLength(index + 1);
    await makeDue(id);
  }
  await deliverer().run(never);
  expect(await onlyDelivery(subscription)).toMatchObject({
    state: 'failed',
    attempts: RETRY_DELAYS_SECONDS.length + 1,
    nextAttemptAt: null,
  });
  expect(await subscriptionOf(subscription)).toMatchObject({
    failingSince: expect.any(String),
    disabledAt: null,
  });
});

test('a receiver that comes back gets what it missed', async () => {
  const { receiver, subscription } = await subscribed();
  receiver.answer((request) => request.socket.destroy());
  const queued = await enqueueTestDelivery(pool, subscription);
  await deliverer().run(never);
  expect(await onlyDelivery(subscription)).toMatchObject({
    lastStatus: null,
    lastError: 'the connection was closed before an answer',
  });
  receiver.answer((_request, response) => response.end());
  await makeDue(queued?.id ?? 0);
  await deliverer().run(never);
  expect(await onlyDelivery(subscription)).toMatchObject({
    state: 'delivered',
    attempts: 2,
    lastError: null,
  });
  expect(await subscriptionOf(subscription)).toMatchObject({ failingSince: null });
});

describe('a subscription is disabled', () => {
  test('at once when the receiver is gone, with all that waits for it, however many answer so together', async () => {
    const { receiver, subscription, customerId } = await subscribed();
    receiver.answer((_request, response) => setTimeout(() => response.writeHead(410).end(), 20));
    for (let count = 0; count < 12; count += 1) await enqueueTestDelivery(pool, subscription);
    await deliverer().run(never);
    expect(receiver.received.length).toBeLessThan(12);
    const states = (await listDeliveries(pool, subscription, { limit: 50 })).map(({ state }) => state);
    expect(new Set(states)).toEqual(new Set(['failed', 'cancelled']));
    expect(await subscriptionOf(subscription)).toMatchObject({ disabledReason: 'gone' });
    expect(await auditOf(customerId)).toEqual([
      {
        type: 'webhook.disabled',
        metadata: { webhookId: subscription.subscriptionId, reason: 'gone', url: receiver.url },
      },
    ]);
    expect(await enqueueTestDelivery(pool, subscription)).toBeNull();
    await archiveRun(pool, makeRun({ customerId }));
    expect(await listDeliveries(pool, subscription, { limit: 50 })).toHaveLength(12);
  });

  test('when nothing got through for days; until it is enabled again', async () => {
    const { receiver, subscription } = await subscribed();
    receiver.answer((_request, response) => response.writeHead(500).end());
    await enqueueTestDelivery(pool, subscription);
    await deliverer().run(never);
    await pool.query(sql.unsafe`
      UPDATE webhook_subscriptions SET failing_since = now() - interval '6 days' WHERE id = ${subscription.subscriptionId}
    `);
    await makeDue((await onlyDelivery(subscription)).id);
    await deliverer().run(never);
    expect(await subscriptionOf(subscription)).toMatchObject({ disabledReason: 'failing' });
    const { id, state } = await onlyDelivery(subscription);
    expect(state).toBe('cancelled');
    expect(await replayDelivery(pool, subscription, id)).toBeNull();
    receiver.answer((_request, response) => response.end());
    await enableWebhookSubscription(pool, subscription.customerId, subscription.subscriptionId);
    expect(await replayDelivery(pool, subscription, id)).toMatchObject({ state: 'pending', attempts: 0 });
    await deliverer().run(never);
    expect(await onlyDelivery(subscription)).toMatchObject({ state: 'delivered', attempts: 1 });
    expect(new Set(receiver.received.map((request) => request.id)).size).toBe(1);
  });
});

test('a slow receiver does not hold up the others', async () => {
  const slow = await subscribed();
  const quick = await subscribed();
  const held: (() => void)[] = [];
  slow.receiver.answer((_request, response) => void held.push(() => response.end()));
  for (let count = 0; count < 12; count += 1) await enqueueTestDelivery(pool, slow.subscription);
  for (let count = 0; count < 12; count += 1) await enqueueTestDelivery(pool, quick.subscription);
  const round = deliverer().run(never);
  await quick.receiver.untilReceived(12);
  expect(slow.receiver.received.length).toBeLessThan(8);
  slow.receiver.answer((_request, response) => response.end());
  for (const release of held) release();
  await round;
  expect(slow.receiver.received).toHaveLength(12);
});

test('a customer with many slow receivers does not hold up the other customers', async () => {
  const slow = await subscribed();
  const held: (() => void)[] = [];
  slow.receiver.answer((_request, response) => void held.push(() => response.end()));
  const others = await Promise.all([1, 2, 3].map((path) => subscribeAlso(slow, `/${path}`)));
  const quick = await subscribed();
  for (const subscription of [slow.subscription, ...others])
    for (let count = 0; count < 4; count += 1) await enqueueTestDelivery(pool, subscription);
  await enqueueTestDelivery(pool, quick.subscription);
  const round = deliverer().run(never);
  await quick.receiver.untilReceived(1);
  expect(slow.receiver.received.length).toBeLessThan(8);
  slow.receiver.answer((_request, response) => response.end());
  for (const release of held) release();
  await round;
  expect(slow.receiver.received).toHaveLength(16);
});

test('no more attempts are under way than allowed, and none is left unfinished', async () => {
  const receivers = await Promise.all([subscribed(), subscribed(), subscribed()]);
  for (const { subscription } of receivers)
    for (let count = 0; count < 4; count += 1) await enqueueTestDelivery(pool, subscription);
  let underWay = 0;
  let most = 0;
  const stopping = new AbortController();
  const counting: Pick<WebhookSender, 'send'> = {
    async send(...args) {
      underWay += 1;
      most = Math.max(most, underWay);
      const outcome = await sender.send(...args);
      underWay -= 1;
      if (receivers.reduce((sum, { receiver }) => sum + receiver.received.length, 0) >= 6) stopping.abort();
      return outcome;
    },
  };
  const stopped = deliverer(counting, 5);
  await stopped.run(stopping.signal);
  await stopped.finish();
  expect(most).toBeLessThanOrEqual(5);
  expect(most).toBeGreaterThan(1);
  expect(underWay).toBe(0);
  const { depth } = await measureOutbox(pool);
  await deliverer().run(never);
  expect(receivers.reduce((sum, { receiver }) => sum + receiver.received.length, 0)).toBe(12);
  expect(depth).toBeLessThan(12);
});

test('who is told to stop waits for no slow receiver, and what it answers later is recorded', async () => {
  const { receiver, subscription } = await subscribed();
  const held: (() => void)[] = [];
  receiver.answer((_request, response) => void held.push(() => response.end()));
  await enqueueTestDelivery(pool, subscription);
  const stopping = new AbortController();
  const stopped = deliverer();
  const round = stopped.run(stopping.signal);
  await receiver.untilReceived(1);
  stopping.abort();
  // Were the attempt waited for, it would end for want of an answer.
  await round;
  for (const release of held) release();
  await stopped.finish();
  expect(await onlyDelivery(subscription)).toMatchObject({ state: 'delivered', attempts: 1 });
});

test('the outbox is measured, and the log cleared of what ended long ago', async () => {
  const { subscription, receiver } = await subscribed();
  await enqueueTestDelivery(pool, subscription);
  await deliverer().run(never);
  receiver.answer((_request, response) => response.writeHead(500).end());
  await enqueueTestDelivery(pool, subscription);
  await deliverer().run(never);
  await pool.query(sql.unsafe`
    UPDATE webhook_deliveries
    SET created_at = now() - interval '100 days', finished_at = finished_at - interval '100 days'
    WHERE subscription_id = ${subscription.subscriptionId}
  `);
  const { depth, oldestAgeSeconds } = await measureOutbox(pool);
  expect(depth).toBe(1);
  expect(oldestAgeSeconds).toBeGreaterThan(99 * 86_400);
  expect(await deleteOldDeliveries(pool, { retentionDays: 30, limit: 10 })).toBe(1);
  expect(await listDeliveries(pool, subscription, { limit: 10 })).toMatchObject([{ state: 'pending' }]);
});

test('the log is read in pages and by state, by its customer alone', async () => {
  const { subscription } = await subscribed();
  for (let count = 0; count < 5; count += 1) await enqueueTestDelivery(pool, subscription);
  const all = await listDeliveries(pool, subscription, { limit: 10 });
  const [, second] = all;
  expect(await listDeliveries(pool, subscription, { limit: 2, before: second?.id ?? 0 })).toEqual(
    all.slice(2, 4),
  );
  expect(await listDeliveries(pool, subscription, { limit: 9, state: 'delivered' })).toEqual([]);
  const { customerId } = await makeCustomer(pool);
  const foreign = { ...subscription, customerId };
  expect(await listDeliveries(pool, foreign, { limit: 9 })).toEqual([]);
  expect(await findDelivery(pool, foreign, second?.id ?? 0)).toBeNull();
  expect(await replayDelivery(pool, foreign, second?.id ?? 0)).toBeNull();
  expect(await enqueueTestDelivery(pool, foreign)).toBeNull();
});

test('attempts are counted by their outcome', async () => {
  const text = await metrics.expose();
  for (const outcome of ['delivered', 'retried', 'failed', 'gone'])
    expect(text).toMatch(new RegExp(`phaserun_webhook_deliveries_total\\{outcome="${outcome}"\\} [1-9]`));
  expect(text).toContain('phaserun_webhook_subscriptions_disabled_total{reason="gone"} 1');
  expect(text).toContain('phaserun_webhook_deliveries_in_flight 0');
});

async function subscribeAlso(
  { customerId, receiver }: { readonly customerId: string; readonly receiver: Receiver },
  path: string,
) {
  const url = new URL(path, receiver.url).href;
  const secret = randomBytes(32);
  const made = await createWebhookSubscription(pool, {
    customerId,
    url,
    eventTypes: WEBHOOK_EVENT_TYPES,
    secret,
  });
  if (made === null) throw new Error('limit');
  return { customerId, subscriptionId: made.id };
}

async function subscribed(): Promise<{
  receiver: Receiver;
  secret: string;
  customerId: string;
  subscription: { customerId: string; subscriptionId: string };
}> {
  // Nothing of an earlier test is to be delivered along.
  await pool.query(sql.unsafe`
    UPDATE webhook_deliveries SET state = 'cancelled', finished_at = now() WHERE state = 'pending'
  `);
  const receiver = await startReceiver();
  const { customerId } = await makeCustomer(pool);
  const secret = randomBytes(32);
  const made = await createWebhookSubscription(pool, {
    customerId,
    url: receiver.url,
    eventTypes: WEBHOOK_EVENT_TYPES,
    secret,
  });
  if (made === null) throw new Error('limit');
  const subscription = { customerId, subscriptionId: made.id };
  return { receiver, secret: showWebhookSecret(secret), customerId, subscription };
}

async function onlyDelivery(subscription: { customerId: string; subscriptionId: string }) {
  const deliveries = await listDeliveries(pool, subscription, { limit: 2 });
  expect(deliveries).toHaveLength(1);
  const [delivery] = deliveries;
  if (delivery === undefined) throw new Error('no delivery');
  return delivery;
}

function subscriptionOf({ customerId, subscriptionId }: { customerId: string; subscriptionId: string }) {
  return findWebhookSubscription(pool, customerId, subscriptionId);
}

async function makeDue(id: number): Promise<void> {
  await pool.query(sql.unsafe`UPDATE webhook_deliveries SET next_attempt_at = now() WHERE id = ${id}`);
}

async function auditOf(customerId: string) {
  const event = z.object({ type: z.string(), metadata: z.unknown() });
  return pool.any(sql.type(event)`
    SELECT event_type AS type, metadata FROM audit_events WHERE customer_id = ${customerId} ORDER BY id
  `);
}
