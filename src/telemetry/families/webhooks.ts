import { Counter, Gauge, Histogram, type Registry } from 'prom-client';
import { zeroCounter } from '../zero-series.ts';

/**
 * How an attempt ended: `delivered`; `retried`, which failed and is made again; `failed`, which was the last; `gone`, when
 * the receiver does not want to be told any more.
 */
export const DELIVERY_OUTCOMES = ['delivered', 'retried', 'failed', 'gone'] as const;
export type DeliveryOutcome = (typeof DELIVERY_OUTCOMES)[number];

/** What is told to webhooks. */
export function createWebhookMetrics(registry: Registry) {
  const registers = [registry];
  const deliveries = new Counter({
    name: 'phaserun_webhook_deliveries_total',
    help: 'Attempts to deliver an event, by how they ended.',
    labelNames: ['outcome'] as const,
    registers,
  });
  const disabled = new Counter({
    name: 'phaserun_webhook_subscriptions_disabled_total',
    help: 'Subscriptions that were disabled, because the receiver was gone or had failed for days.',
    labelNames: ['reason'] as const,
    registers,
  });
  zeroCounter(deliveries, { outcome: DELIVERY_OUTCOMES });
  zeroCounter(disabled, { reason: ['gone', 'failing'] });
  return {
    deliveries,
    disabled,
    duration: new Histogram({
      name: 'phaserun_webhook_delivery_duration_seconds',
      help: 'Seconds that an attempt took, until the answer or the failure.',
      buckets: [0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10],
      registers,
    }),
    inFlight: new Gauge({
      name: 'phaserun_webhook_deliveries_in_flight',
      help: 'Attempts that are under way.',
      registers,
    }),
    outboxDepth: new Gauge({
      name: 'phaserun_webhook_outbox_depth',
      help: 'Events that are yet to be delivered, those that wait for another attempt included; 0 on who does not lead.',
      registers,
    }),
    outboxOldestAge: new Gauge({
      name: 'phaserun_webhook_outbox_oldest_age_seconds',
      help: 'Seconds since the oldest event that is yet to be delivered happened; 0 on who does not lead.',
      registers,
    }),
    deleted: new Counter({
      name: 'phaserun_webhook_deleted_deliveries_total',
      help: 'Deliveries that were deleted from the log at the end of their retention.',
      registers,
    }),
  };
}
