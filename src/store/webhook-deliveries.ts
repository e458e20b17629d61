import { sql } from 'slonik';
import { z } from 'zod';
import { WEBHOOK_TEST } from '../domain/webhook-event.ts';
import type { Connection } from './database.ts';
import { envelope } from './webhook-outbox.ts';

export const DELIVERY_STATES = ['pending', 'delivered', 'failed', 'cancelled'] as const;
export type DeliveryState = (typeof DELIVERY_STATES)[number];

const delivery = z.object({
  id: z.number(),
  eventId: z.string(),
  eventType: z.string(),
  state: z.enum(DELIVERY_STATES),
  attempts: z.number(),
  createdAt: z.string(),
  /** Null once nothing more is tried. */
  nextAttemptAt: z.string().nullable(),
  lastAttemptAt: z.string().nullable(),
  lastStatus: z.number().nullable(),
  lastError: z.string().nullable(),
  finishedAt: z.string().nullable(),
});
export type WebhookDelivery = z.infer<typeof delivery>;

const columns = sql.fragment`
  id, event_id AS "eventId", event_type AS "eventType", state, attempts, created_at AS "createdAt",
  CASE WHEN state = 'pending' THEN next_attempt_at END AS "nextAttemptAt",
  last_attempt_at AS "lastAttemptAt", last_status AS "lastStatus", last_error AS "lastError",
  finished_at AS "finishedAt"`;

const AFTER_ALL = '9223372036854775807';

export interface DeliveryPage {
  readonly state?: DeliveryState;
  /** Id of a delivery: those before it. */
  readonly before?: number;
  readonly limit: number;
}

/** What was sent to a subscription or is to be, the newest first. */
export function listDeliveries(
  connection: Connection,
  { customerId, subscriptionId }: SubscriptionReference,
  { state, before, limit }: DeliveryPage,
): Promise<readonly WebhookDelivery[]> {
  return connection.any(sql.prepared('list_webhook_deliveries', delivery)`
    SELECT ${columns} FROM webhook_deliveries
    WHERE customer_id = ${customerId} AND subscription_id = ${subscriptionId}
      AND id < ${before ?? AFTER_ALL}::bigint AND (${state ?? null}::text IS NULL OR state = ${state ?? null}::text)
    ORDER BY id DESC
    LIMIT ${limit}
  `);
}

export interface SubscriptionReference {
  readonly customerId: string;
  readonly subscriptionId: string;
}

/** One delivery; null when there is none. */
export function findDelivery(
  connection: Connection,
  { customerId, subscriptionId }: SubscriptionReference,
  id: number,
): Promise<WebhookDelivery | null> {
  return connection.maybeOne(sql.prepared('find_webhook_delivery', delivery)`
    SELECT ${columns} FROM webhook_deliveries
    WHERE id = ${id} AND customer_id = ${customerId} AND subscription_id = ${subscriptionId}
  `);
}

/**
 * Sends an event again, under its own id and with a schedule that starts anew; one that is on its way already stays so.
 * Null when there is none of this id, or the subscription is disabled.
 */
export function replayDelivery(
  connection: Connection,
  { customerId, subscriptionId }: SubscriptionReference,
  id: number,
): Promise<WebhookDelivery | null> {
  return connection.maybeOne(sql.prepared('replay_webhook_delivery', delivery)`
    UPDATE webhook_deliveries
    SET
      state = 'pending',
      attempts = CASE WHEN state = 'pending' THEN attempts ELSE 0 END,
      next_attempt_at = CASE WHEN state = 'pending' THEN next_attempt_at ELSE now() END,
      finished_at = NULL
    WHERE id = ${id} AND customer_id = ${customerId} AND subscription_id = ${subscriptionId}
      AND EXISTS (SELECT FROM webhook_subscriptions WHERE id = ${subscriptionId} AND disabled_at IS NULL)
    RETURNING ${columns}
  `);
}

/** Puts an event into the outbox that says nothing happened; null when the subscription is disabled or not there. */
export function enqueueTestDelivery(
  connection: Connection,
  { customerId, subscriptionId }: SubscriptionReference,
): Promise<WebhookDelivery | null> {
  return connection.maybeOne(sql.prepared('enqueue_test_delivery', delivery)`
    INSERT INTO webhook_deliveries (customer_id, subscription_id, event_id, event_type, event)
    SELECT happened.customer_id, happened.subscription_id, happened.event_id, happened.event_type, ${envelope}
    FROM (
      SELECT
        customer_id, id AS subscription_id, 'test_' || gen_random_uuid() AS event_id, ${WEBHOOK_TEST} AS event_type,
        'webhook/' || id AS subject, jsonb_build_object('webhookId', id) AS data
      FROM webhook_subscriptions
      WHERE id = ${subscriptionId} AND customer_id = ${customerId} AND disabled_at IS NULL
    ) AS happened
    RETURNING ${columns}
  `);
}

/**
 * Deletes deliveries that ended more than so many days ago; those that are yet to be made stay.
 * @returns how many; as many as `limit` means that there may be more
 */
export async function deleteOldDeliveries(
  connection: Connection,
  { retentionDays, limit }: { readonly retentionDays: number; readonly limit: number },
): Promise<number> {
  const { rowCount } = await connection.query(sql.prepared('delete_old_deliveries', z.object({}))`
    DELETE FROM webhook_deliveries
    WHERE id = ANY(ARRAY(
      SELECT id FROM webhook_deliveries
      WHERE state <> 'pending' AND finished_at < now() - make_interval(days => ${retentionDays})
      ORDER BY finished_at
      LIMIT ${limit}
      FOR UPDATE SKIP LOCKED
    ))
  `);
  return rowCount;
}
