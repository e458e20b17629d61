import { sql } from 'slonik';
import { z } from 'zod';
import { WEBHOOK_EVENT_TYPES, type WebhookEventType } from '../domain/webhook-event.ts';
import type { Connection } from './database.ts';

/** Subscriptions of one customer: what happens is written once for each. */
export const SUBSCRIPTION_LIMIT = 20;

const subscription = z.object({
  id: z.string(),
  url: z.string(),
  eventTypes: z.array(z.enum(WEBHOOK_EVENT_TYPES)),
  createdAt: z.string(),
  /** Since when nothing has arrived. */
  failingSince: z.string().nullable(),
  disabledAt: z.string().nullable(),
  disabledReason: z.enum(['gone', 'failing']).nullable(),
});
export type WebhookSubscription = z.infer<typeof subscription>;

const columns = sql.fragment`
  id, url, event_types AS "eventTypes", created_at AS "createdAt", failing_since AS "failingSince",
  disabled_at AS "disabledAt", disabled_reason AS "disabledReason"`;

export interface NewWebhookSubscription {
  readonly customerId: string;
  /** As `parseWebhookUrl` has it. */
  readonly url: string;
  readonly eventTypes: readonly WebhookEventType[];
  readonly secret: Uint8Array;
}

/** Null when the customer has as many as it may have. */
export function createWebhookSubscription(
  connection: Connection,
  { customerId, url, eventTypes, secret }: NewWebhookSubscription,
): Promise<WebhookSubscription | null> {
  return connection.maybeOne(sql.prepared('create_webhook_subscription', subscription)`
    INSERT INTO webhook_subscriptions (customer_id, url, event_types, secret)
    SELECT ${customerId}::uuid, ${url}, ${sql.array([...eventTypes], 'text')}, ${sql.binary(Buffer.from(secret))}
    WHERE (SELECT count(*) FROM webhook_subscriptions WHERE customer_id = ${customerId}) < ${SUBSCRIPTION_LIMIT}
    RETURNING ${columns}
  `);
}

/** In the order in which they were made. */
export function listWebhookSubscriptions(
  connection: Connection,
  customerId: string,
): Promise<readonly WebhookSubscription[]> {
  return connection.any(sql.prepared('list_webhook_subscriptions', subscription)`
    SELECT ${columns} FROM webhook_subscriptions WHERE customer_id = ${customerId} ORDER BY created_at, id
  `);
}

export function findWebhookSubscription(
  connection: Connection,
  customerId: string,
  id: string,
): Promise<WebhookSubscription | null> {
  return connection.maybeOne(sql.prepared('find_webhook_subscription', subscription)`
    SELECT ${columns} FROM webhook_subscriptions WHERE id = ${id} AND customer_id = ${customerId}
  `);
}

/** Ends a subscription with its deliveries, those that are yet to be made included; null when there is none. */
export function removeWebhookSubscription(
  connection: Connection,
  customerId: string,
  id: string,
): Promise<WebhookSubscription | null> {
  return connection.maybeOne(sql.prepared('remove_webhook_subscription', subscription)`
    DELETE FROM webhook_subscriptions WHERE id = ${id} AND customer_id = ${customerId} RETURNING ${columns}
  `);
}

/** Tells a subscription of what happens again, from now on; null when there is none. */
export function enableWebhookSubscription(
  connection: Connection,
  customerId: string,
  id: string,
): Promise<WebhookSubscription | null> {
  return connection.maybeOne(sql.prepared('enable_webhook_subscription', subscription)`
    UPDATE webhook_subscriptions SET disabled_at = NULL, disabled_reason = NULL, failing_since = NULL
    WHERE id = ${id} AND customer_id = ${customerId}
    RETURNING ${columns}
  `);
}
