import { randomBytes } from 'node:crypto';
import { sql } from 'slonik';
import { afterAll, expect, test } from 'vitest';
import { runJobs } from '../../../src/controller/background-job.ts';
import { createWebhookJobs } from '../../../src/controller/webhook-jobs.ts';
import { createWebhookSender } from '../../../src/controller/webhook-sender.ts';
import { WEBHOOK_EVENT_TYPES } from '../../../src/domain/webhook-event.ts';
import { archiveRun } from '../../../src/store/archive.ts';
import { createWebhookSubscription } from '../../../src/store/webhook-subscriptions.ts';
import { createMetrics } from '../../../src/telemetry/metrics.ts';
import { freshDatabase } from '../../fixtures/database.ts';
import { runLogger } from '../../fixtures/run-log/of-test.ts';
import { makeCustomer, makeRun, openDatabase } from '../store/builders.ts';
import { startReceiver } from './receiver.ts';

const database = await openDatabase((await freshDatabase()).url);
const { pool } = database;
const sender = createWebhookSender({ allowPrivateAddresses: true, userAgent: 'PhaseRun/test' });
afterAll(() => Promise.all([database.close(), sender.close()]));

test('who leads delivers what happens, measures what is left, and clears the log; afterwards it measures nothing', async () => {
  const metrics = createMetrics({ defaultMetrics: false });
  const logger = runLogger('jobs');
  const receiver = await startReceiver();
  const { customerId } = await makeCustomer(pool);
  const webhook = { customerId, url: receiver.url, eventTypes: WEBHOOK_EVENT_TYPES, secret: randomBytes(32) };
  await createWebhookSubscription(pool, webhook);
  await pool.query(sql.unsafe`
    INSERT INTO webhook_deliveries (customer_id, subscription_id, event_id, event_type, event, state, finished_at, next_attempt_at)
    SELECT customer_id, id, state, 'webhook.test', '{}', state, finished_at, now() + interval '1 hour'
    FROM webhook_subscriptions,
      (VALUES ('delivered', now() - interval '31 days'), ('failed', now()), ('pending', NULL)) AS d (state, finished_at)
    WHERE customer_id = ${customerId}
  `);
  const term = new AbortController();
  const webhooks = createWebhookJobs({
    pool,
    sender,
    metrics,
    logger,
    concurrency: 4,
    retentionDays: 30,
  });
  const leading = runJobs(webhooks.jobs, {
    signal: term.signal,
    logger,
    observer: { jobBegins: () => undefined, jobRan: () => undefined },
  });
  const run = makeRun({ customerId });
  await archiveRun(pool, run);
  expect(await receiver.untilReceived(1)).toEqual([`run_${run.runId}_completed`]);
  const exposed = await untilExposed(metrics, /phaserun_webhook_deleted_deliveries_total 1/);
  expect(exposed).toMatch(/phaserun_webhook_outbox_depth [1-2]\n/);
  term.abort();
  await leading;
  await webhooks.finish();
  expect(await metrics.expose()).toContain('phaserun_webhook_outbox_depth 0');
  expect(await metrics.expose()).toContain('phaserun_webhook_outbox_oldest_age_seconds 0');
});

async function untilExposed(metrics: { expose(): Promise<string> }, what: RegExp): Promise<string> {
  for (;;) {
    const exposed = await metrics.expose();
    if (what.test(exposed)) return exposed;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}
