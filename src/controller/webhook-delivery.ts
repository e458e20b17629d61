import type { Logger } from 'pino';
import { DISABLE_AFTER_FAILING_DAYS, retryDelaySeconds } from '../domain/webhook-schedule.ts';
import { pause, systemClock } from '../kube/clock.ts';
import type { Connection } from '../store/database.ts';
import {
  type ClaimedDelivery,
  claimDeliveries,
  recordDelivered,
  recordFailedAttempt,
} from '../store/webhook-attempts.ts';
import type { DeliveryOutcome } from '../telemetry/families/webhooks.ts';
import type { Metrics } from '../telemetry/metrics.ts';
import type { SendOutcome, WebhookSender } from './webhook-sender.ts';

export interface WebhookDeliveryOptions {
  readonly pool: Connection;
  readonly sender: Pick<WebhookSender, 'send'>;
  readonly metrics: Pick<Metrics, 'webhooks'>;
  readonly logger: Logger;
  /** Attempts under way at once. */
  readonly concurrency: number;
}

/** Claimed at once; a subscription with so many under way is left alone, so that a slow one cannot hold up the others. */
const BATCH = 4;
/** How often it is looked for what is due while attempts are under way. */
const LOOK_AGAIN_MS = 1_000;
/** Longer than an attempt and its record can take. */
const LEASE_SECONDS = 60;

/**
 * Delivers what is in the outbox, once to each subscription as far as anybody can tell: an event counts as delivered when a
 * 2xx was received and recorded. Whoever dies in between leaves it to be sent once more under the same `webhook-id`, by
 * which receivers know it again. There is no order between events.
 */
export class WebhookDelivery {
  readonly #options: WebhookDeliveryOptions;
  readonly #underWay = new Map<Promise<void>, ClaimedDelivery>();

  constructor(options: WebhookDeliveryOptions) {
    this.#options = options;
  }

  /**
   * One round: delivers until nothing is due. When the signal aborts it begins nothing more and returns at once, though
   * attempts are under way: each has a lease of its own, and whoever leads next is not to wait for somebody's slow server.
   */
  async run(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      const { begun, isAll } = await this.#begin();
      if (begun > 0) continue;
      if (this.#underWay.size > 0) await this.#oneEnds(signal);
      else if (isAll) return;
    }
  }

  /** Waits until what is under way has ended and is recorded. */
  async finish(): Promise<void> {
    await Promise.all(this.#underWay.keys());
  }

  /** Begins what is due; `isAll`: nobody was left out who had enough under way just then, and may have nothing by now. */
  async #begin(): Promise<{ readonly begun: number; readonly isAll: boolean }> {
    const { pool, concurrency } = this.#options;
    const free = concurrency - this.#underWay.size;
    if (free <= 0) return { begun: 0, isAll: false };
    const busySubscriptions = this.#busy(({ subscriptionId }) => subscriptionId, BATCH);
    // Who has as much under way as is free waits: however many slow receivers a customer names, others get through.
    const busyCustomers = this.#busy(({ customerId }) => customerId, free);
    const claims = await claimDeliveries(pool, {
      // Never all that is free: it may all be one customer's.
      limit: Math.min(BATCH, Math.ceil(free / 2)),
      busySubscriptions,
      busyCustomers,
      leaseSeconds: LEASE_SECONDS,
    });
    for (const claim of claims) this.#start(claim);
    return { begun: claims.length, isAll: busySubscriptions.length + busyCustomers.length === 0 };
  }

  #busy(idOf: (claim: ClaimedDelivery) => string, most: number): string[] {
    const counts = Map.groupBy(this.#underWay.values(), idOf);
    return [...counts].filter(([, all]) => all.length >= most).map(([id]) => id);
  }

  #start(claim: ClaimedDelivery): void {
    const { metrics, logger } = this.#options;
    metrics.webhooks.inFlight.inc();
    const attempt = this.#attempt(claim)
      // Its lease ends, and it is made again.
      .catch((error: unknown) =>
        logger.warn({ err: error, ...namesOf(claim) }, 'webhook attempt not recorded'),
      )
      .finally(() => {
        this.#underWay.delete(attempt);
        metrics.webhooks.inFlight.dec();
      });
    this.#underWay.set(attempt, claim);
  }

  async #oneEnds(signal: AbortSignal): Promise<void> {
    const ended = new AbortController();
    const pausing = pause(systemClock, LOOK_AGAIN_MS, AbortSignal.any([signal, ended.signal]));
    await Promise.race([pausing, ...this.#underWay.keys()]);
    ended.abort();
  }

  async #attempt(claim: ClaimedDelivery): Promise<void> {
    const { sender, metrics } = this.#options;
    const startedAt = performance.now();
    const outcome = await sender.send(claim.url, {
      id: claim.eventId,
      timestamp: Math.floor(Date.now() / 1000),
      body: claim.body,
      secret: Buffer.from(claim.secret, 'hex'),
    });
    metrics.webhooks.duration.observe((performance.now() - startedAt) / 1000);
    metrics.webhooks.deliveries.inc({ outcome: await this.#record(claim, outcome) });
  }

  async #record(claim: ClaimedDelivery, outcome: SendOutcome): Promise<DeliveryOutcome> {
    const { pool, metrics, logger } = this.#options;
    const status = outcome.kind === 'answered' ? outcome.status : undefined;
    if (status !== undefined && status >= 200 && status < 300) {
      await recordDelivered(pool, claim, status);
      return 'delivered';
    }
    const isGone = status === 410;
    const retryInSeconds = isGone ? undefined : retryDelaySeconds(claim.attempt, Math.random());
    const error = outcome.kind === 'failed' ? outcome.error : describeStatus(outcome.status);
    logger.info({ ...namesOf(claim), status, error, retryInSeconds }, 'webhook attempt failed');
    const disabled = await recordFailedAttempt(pool, claim, {
      error,
      isGone,
      disableAfterDays: DISABLE_AFTER_FAILING_DAYS,
      ...(status !== undefined && { status }),
      ...(retryInSeconds !== undefined && { retryInSeconds }),
    });
    if (disabled !== null) {
      metrics.webhooks.disabled.inc({ reason: disabled });
      logger.warn({ ...namesOf(claim), reason: disabled }, 'webhook disabled');
    }
    if (isGone) return 'gone';
    return retryInSeconds === undefined ? 'failed' : 'retried';
  }
}

function describeStatus(status: number): string {
  return status >= 300 && status < 400
    ? `answered ${status}: redirects are not followed`
    : `answered ${status}`;
}

/** The URL stays out of the logs: people put tokens there. */
function namesOf({ customerId, subscriptionId, eventId, attempt }: ClaimedDelivery) {
  return { customerId, webhook: subscriptionId, event: eventId, attempt };
}
