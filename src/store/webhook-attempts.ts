import { sql } from 'slonik';
import { z } from 'zod';
import { appendAuditEvent } from './audit-events.ts';
import type { Connection } from './database.ts';

const nothing = z.object({});

const claimed = z.object({
  id: z.number(),
  customerId: z.string(),
  subscriptionId: z.string(),
  url: z.string(),
  /** Hex. */
  secret: z.string(),
  eventId: z.string(),
  body: z.string(),
  /** Which one this is, counted from 1. */
  attempt: z.number(),
});

/** An attempt that the caller alone is to make, until the lease ends. */
export type ClaimedDelivery = z.infer<typeof claimed>;

export interface DeliveryClaim {
  readonly limit: number;
  /** Who has enough on their hands. */
  readonly busySubscriptions: readonly string[];
  readonly busyCustomers: readonly string[];
  /** After which an attempt whose outcome nobody recorded counts as lost. */
  readonly leaseSeconds: number;
}

/**
 * Takes deliveries that are due, those due for longest first. Whoever else claims at the same time gets others. A claimer
 * that dies leaves a lease that ends: the event is then sent once more, under the same id.
 */
export function claimDeliveries(
  connection: Connection,
  { limit, busySubscriptions, busyCustomers, leaseSeconds }: DeliveryClaim,
): Promise<readonly ClaimedDelivery[]> {
  return connection.any(sql.prepared('claim_webhook_deliveries', claimed)`
    WITH due AS MATERIALIZED (
      SELECT id FROM webhook_deliveries
      WHERE state = 'pending' AND next_attempt_at <= now()
        AND subscription_id <> ALL(${sql.array([...busySubscriptions], 'uuid')})
        AND customer_id <> ALL(${sql.array([...busyCustomers], 'uuid')})
      ORDER BY next_attempt_at
      LIMIT ${limit}
      FOR UPDATE SKIP LOCKED
    )
    UPDATE webhook_deliveries AS delivery
    SET
      attempts = attempts + 1,
      last_attempt_at = now(),
      next_attempt_at = now() + make_interval(secs => ${leaseSeconds})
    FROM due, webhook_subscriptions AS subscription
    WHERE delivery.id = due.id AND subscription.id = delivery.subscription_id
    RETURNING
      delivery.id, delivery.customer_id AS "customerId", subscription.id AS "subscriptionId", subscription.url,
      encode(subscription.secret, 'hex') AS secret, delivery.event_id AS "eventId", delivery.event::text AS body,
      delivery.attempts AS attempt
  `);
}

/** Notes that an event arrived: also where its lease had ended meanwhile, so that it need not be sent again. */
export async function recordDelivered(
  connection: Connection,
  { id, subscriptionId }: ClaimedDelivery,
  status: number,
): Promise<void> {
  await connection.query(sql.prepared('record_webhook_delivered', nothing)`
    UPDATE webhook_deliveries
    SET state = 'delivered', finished_at = now(), last_status = ${status}, last_error = NULL
    WHERE id = ${id} AND state = 'pending'
  `);
  // By itself, so that those who deliver to one subscription never wait for each other.
  await connection.query(sql.prepared('record_webhook_reached', nothing)`
    UPDATE webhook_subscriptions SET failing_since = NULL WHERE id = ${subscriptionId} AND failing_since IS NOT NULL
  `);
}

export interface FailedAttempt {
  /** Absent: there was no answer. */
  readonly status?: number;
  readonly error: string;
  /** Absent: that was the last attempt. */
  readonly retryInSeconds?: number;
  /** The receiver does not want to be told any more. */
  readonly isGone: boolean;
  /** A subscription to which nothing got through for so many days is disabled. */
  readonly disableAfterDays: number;
}

export type DisabledReason = 'gone' | 'failing';

/**
 * Notes that an attempt failed, unless its lease ended and somebody else has taken the next one. A subscription that is gone
 * or has failed for too long is disabled, and what it was yet to be told is cancelled.
 * @returns why it was disabled just now; null when it was not
 */
export function recordFailedAttempt(
  connection: Connection,
  claim: ClaimedDelivery,
  failure: FailedAttempt,
): Promise<DisabledReason | null> {
  return connection.transaction(async (transaction) => {
    // Always before its deliveries: two who disable the same one must not wait for each other in a circle.
    await lockSubscription(transaction, claim);
    if (!(await noteAttempt(transaction, claim, failure))) return null;
    const reason = await noteFailing(transaction, claim, failure);
    if (reason === null) return null;
    await cancelDeliveries(transaction, claim);
    await appendAuditEvent(transaction, {
      customerId: claim.customerId,
      eventType: 'webhook.disabled',
      metadata: { webhookId: claim.subscriptionId, url: claim.url, reason },
    });
    return reason;
  });
}

async function lockSubscription(connection: Connection, { subscriptionId }: ClaimedDelivery): Promise<void> {
  await connection.query(sql.prepared('lock_webhook_subscription', nothing)`
    SELECT FROM webhook_subscriptions WHERE id = ${subscriptionId} FOR NO KEY UPDATE
  `);
}

async function noteAttempt(
  connection: Connection,
  { id, attempt }: ClaimedDelivery,
  { status, error, retryInSeconds }: FailedAttempt,
): Promise<boolean> {
  const isLast = retryInSeconds === undefined;
  const { rowCount } = await connection.query(sql.prepared('record_webhook_failed', nothing)`
    UPDATE webhook_deliveries
    SET
      state = ${isLast ? 'failed' : 'pending'},
      finished_at = CASE WHEN ${isLast}::boolean THEN now() END,
      next_attempt_at = now() + make_interval(secs => ${retryInSeconds ?? 0}::double precision),
      last_status = ${status ?? null}::integer,
      last_error = ${error}
    WHERE id = ${id} AND state = 'pending' AND attempts = ${attempt}
  `);
  return rowCount === 1;
}

async function noteFailing(
  connection: Connection,
  { subscriptionId }: ClaimedDelivery,
  { isGone, disableAfterDays }: FailedAttempt,
): Promise<DisabledReason | null> {
  const row = z.object({ reason: z.enum(['gone', 'failing']).nullable() });
  const noted = await connection.maybeOne(sql.prepared('record_webhook_failing', row)`
    WITH verdict AS MATERIALIZED (
      SELECT id, CASE
        WHEN ${isGone}::boolean THEN 'gone'
        WHEN failing_since < now() - make_interval(days => ${disableAfterDays}) THEN 'failing'
      END AS reason
      FROM webhook_subscriptions WHERE id = ${subscriptionId} AND disabled_at IS NULL
    )
    UPDATE webhook_subscriptions AS subscription
    SET
      failing_since = coalesce(subscription.failing_since, now()),
      disabled_at = CASE WHEN verdict.reason IS NOT NULL THEN now() END,
      disabled_reason = verdict.reason
    FROM verdict WHERE subscription.id = verdict.id
    RETURNING verdict.reason
  `);
  return noted?.reason ?? null;
}

async function cancelDeliveries(connection: Connection, { subscriptionId }: ClaimedDelivery): Promise<void> {
  await connection.query(sql.prepared('cancel_webhook_deliveries', nothing)`
    UPDATE webhook_deliveries SET state = 'cancelled', finished_at = now()
    WHERE subscription_id = ${subscriptionId} AND state = 'pending'
  `);
}

const outbox = z.object({
  depth: z.number(),
  /** Seconds since the oldest event that waits happened; 0 when none does. */
  oldestAgeSeconds: z.number(),
});
export type WebhookOutbox = z.infer<typeof outbox>;

/** What is yet to be delivered. */
export function measureOutbox(connection: Connection): Promise<WebhookOutbox> {
  return connection.one(sql.prepared('measure_webhook_outbox', outbox)`
    SELECT
      count(*) AS depth,
      coalesce(extract(epoch FROM now() - min(created_at)), 0)::double precision AS "oldestAgeSeconds"
    FROM webhook_deliveries WHERE state = 'pending'
  `);
}
