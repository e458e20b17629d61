import { measureOutbox } from '../store/webhook-attempts.ts';
import { deleteOldDeliveries } from '../store/webhook-deliveries.ts';
import type { BackgroundJob } from './background-job.ts';
import { WebhookDelivery, type WebhookDeliveryOptions } from './webhook-delivery.ts';

export interface WebhookJobsOptions extends WebhookDeliveryOptions {
  /** How long deliveries stay in the log once they have ended. */
  readonly retentionDays: number;
}

const DELIVER_INTERVAL_MS = 1_000;
const MEASURE_INTERVAL_MS = 15_000;
const DELETE_INTERVAL_MS = 60 * 60_000;
const DELETE_BATCH = 1_000;

/** What the leader does for webhooks. */
export interface WebhookJobs {
  /** They deliver what is in the outbox, measure it, and clear the log. */
  readonly jobs: readonly BackgroundJob[];
  /** Waits for the deliveries that are under way: they go on when the jobs have ended. */
  finish(): Promise<void>;
}

/** Makes what the leader does for webhooks. */
export function createWebhookJobs(options: WebhookJobsOptions): WebhookJobs {
  const { outboxDepth, outboxOldestAge } = options.metrics.webhooks;
  const delivery = new WebhookDelivery(options);
  const jobs: readonly BackgroundJob[] = [
    { name: 'deliver-webhooks', intervalMs: DELIVER_INTERVAL_MS, run: (signal) => delivery.run(signal) },
    {
      name: 'measure-webhooks',
      intervalMs: MEASURE_INTERVAL_MS,
      async run() {
        const { depth, oldestAgeSeconds } = await measureOutbox(options.pool);
        outboxDepth.set(depth);
        outboxOldestAge.set(oldestAgeSeconds);
      },
      end() {
        outboxDepth.set(0);
        outboxOldestAge.set(0);
      },
    },
    {
      name: 'delete-webhook-deliveries',
      intervalMs: DELETE_INTERVAL_MS,
      run: (signal) => deleteAllOld(options, signal),
    },
  ];
  return { jobs, finish: () => delivery.finish() };
}

async function deleteAllOld(
  { pool, metrics, retentionDays }: Pick<WebhookJobsOptions, 'pool' | 'metrics' | 'retentionDays'>,
  signal: AbortSignal,
): Promise<void> {
  let deleted: number;
  do {
    deleted = await deleteOldDeliveries(pool, { retentionDays, limit: DELETE_BATCH });
    metrics.webhooks.deleted.inc(deleted);
  } while (deleted === DELETE_BATCH && !signal.aborted);
}
