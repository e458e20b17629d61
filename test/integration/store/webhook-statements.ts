import { randomBytes } from 'node:crypto';
import type { Client } from 'pg';
import { WEBHOOK_EVENT_TYPES } from '../../../src/domain/webhook-event.ts';
import type { Connection } from '../../../src/store/database.ts';
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
  listWebhookSubscriptions,
  removeWebhookSubscription,
} from '../../../src/store/webhook-subscriptions.ts';

/** Calls every function of the store that webhooks need. */
export async function callWebhookStatements(pool: Connection, customerId: string): Promise<void> {
  const webhook = await createWebhookSubscription(pool, {
    customerId,
    url: 'https://hooks.example.com/',
    eventTypes: WEBHOOK_EVENT_TYPES,
    secret: randomBytes(32),
  });
  if (webhook === null) throw new Error('no webhook');
  const reference = { customerId, subscriptionId: webhook.id };
  await listWebhookSubscriptions(pool, customerId);
  await findWebhookSubscription(pool, customerId, webhook.id);
  const [one, other] = [
    await enqueueTestDelivery(pool, reference),
    await enqueueTestDelivery(pool, reference),
  ];
  if (one === null || other === null) throw new Error('no delivery');
  await listDeliveries(pool, reference, { limit: 10 });
  await findDelivery(pool, reference, one.id);
  const claims = await claimDeliveries(pool, {
    limit: 10,
    busySubscriptions: [],
    busyCustomers: [],
    leaseSeconds: 60,
  });
  for (const claim of claims.filter(({ id }) => id === one.id)) await recordDelivered(pool, claim, 200);
  for (const claim of claims.filter(({ id }) => id === other.id))
    await recordFailedAttempt(pool, claim, { error: 'gone', isGone: true, disableAfterDays: 5 });
  await enableWebhookSubscription(pool, customerId, webhook.id);
  await replayDelivery(pool, reference, one.id);
  await measureOutbox(pool);
  await deleteOldDeliveries(pool, { retentionDays: 30, limit: 10 });
  await removeWebhookSubscription(pool, customerId, webhook.id);
}

/** 10,000 webhooks, and 100,000 deliveries of one of them, a few of which are yet to be made. */
export async function fillWebhooks(client: Client): Promise<void> {
  await client.query(`
    INSERT INTO webhook_subscriptions (id, customer_id, url, event_types, secret)
    SELECT md5('webhook' || n)::uuid, md5('customer' || n)::uuid, 'https://hooks.example.com/', '{phase.completed}', sha256('x')
    FROM generate_series(0, 9999) n;
    INSERT INTO webhook_deliveries (
      customer_id, subscription_id, event_id, event_type, event, state, finished_at, next_attempt_at
    )
    SELECT md5('customer0')::uuid, md5('webhook0')::uuid, 'event' || n, 'phase.completed', '{}',
      CASE WHEN n % 1000 = 0 THEN 'pending' ELSE 'delivered' END,
      CASE WHEN n % 1000 <> 0 THEN now() - n * interval '1 minute' END,
      now() + interval '1 hour'
    FROM generate_series(1, 100000) n;
  `);
}
