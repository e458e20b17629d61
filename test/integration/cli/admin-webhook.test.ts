import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { WebhookDelivery } from '../../../src/controller/webhook-delivery.ts';
import { createWebhookSender } from '../../../src/controller/webhook-sender.ts';
import { createMetrics } from '../../../src/telemetry/metrics.ts';
import { freshDatabase } from '../../fixtures/database.ts';
import { runLogger } from '../../fixtures/run-log/of-test.ts';
import { openDatabase } from '../store/builders.ts';
import { startReceiver, verified } from '../webhooks/receiver.ts';
import { type CliResult, runCli } from './run-cli.ts';

const { url: databaseUrl } = await freshDatabase();
const database = await openDatabase(databaseUrl, 2);
const sender = createWebhookSender({ allowPrivateAddresses: true, userAgent: 'PhaseRun/test' });
afterAll(() => Promise.all([database.close(), sender.close()]));

beforeAll(() => admin('customer create acme'));

describe('admin webhook', () => {
  it('adds one, prints its secret alone to stdout, and delivers to it what a test sends', async () => {
    const receiver = await startReceiver();
    const added = await admin(
      `webhook add ${receiver.url} --customer acme --event session.failed session.expired`,
    );
    expect(added).toEqual({
      code: 0,
      stdout: expect.stringMatching(/^whsec_[A-Za-z0-9+/]{43}=\n$/),
      stderr: expect.stringMatching(/^Webhook [0-9a-f-]{36}\. This is the only time/),
    });
    const [webhook] = await adminJson('webhook list --customer acme');
    expect(webhook).toMatchObject({ url: receiver.url, eventTypes: ['session.failed', 'session.expired'] });
    expect(webhook).not.toHaveProperty('secret');

    const [tested] = await Promise.all([
      admin(`webhook test ${webhook.id} --customer acme -o json`),
      deliver(1),
    ]);
    expect(tested.code).toBe(0);
    expect(JSON.parse(tested.stdout)).toMatchObject({
      eventType: 'webhook.test',
      state: 'delivered',
      lastStatus: 200,
    });
    const [request] = receiver.received;
    expect(request && verified(added.stdout.trim(), request)).toMatchObject({
      type: 'dev.rsolv.webhook.test',
      data: { webhookId: webhook.id },
    });

    const [delivery] = await adminJson(`webhook deliveries ${webhook.id} --customer acme`);
    const { stdout: table } = await admin(
      `webhook deliveries ${webhook.id} --customer acme --state delivered`,
    );
    expect(table).toMatch(new RegExp(`${delivery.id} +webhook.test +delivered +1 +200`));
    expect(await adminJson(`webhook replay ${webhook.id} ${delivery.id} --customer acme`)).toMatchObject({
      state: 'pending',
    });
    await deliver(1);
    expect(receiver.received.map(({ id }) => id)).toEqual([delivery.eventId, delivery.eventId]);

    expect(await admin(`webhook remove ${webhook.id} --customer acme`)).toMatchObject({
      code: 0,
      stdout: '',
    });
    expect(await admin('webhook list --customer acme')).toMatchObject({
      stdout: '',
      stderr: expect.stringMatching(/no webhooks/),
    });
  });

  it('says that a test did not arrive and why; and of one that is disabled how to enable it', async () => {
    const receiver = await startReceiver();
    receiver.answer((_request, response) => response.writeHead(410).end());
    const { id, secret } = await adminJson(`webhook add ${receiver.url} --customer acme`);
    expect(secret).toMatch(/^whsec_/);
    const [tested] = await Promise.all([admin(`webhook test ${id} --customer acme`), deliver(1)]);
    expect(tested).toMatchObject({ code: 1, stderr: 'error: it did not arrive: answered 410\n' });
    expect(await admin(`webhook test ${id} --customer acme`)).toEqual({
      code: 1,
      stdout: '',
      stderr: `error: webhook ${id} is disabled\nEnable it with: phaserun admin webhook enable ${id} --customer acme\n`,
    });
    expect(await adminJson(`webhook enable ${id} --customer acme`)).toMatchObject({ id, disabledAt: null });
  });

  it('says that nobody sends while no controller runs', async () => {
    const { id } = await adminJson('webhook add https://hooks.example.com/ --customer acme');
    const tested = await admin(`webhook test ${id} --customer acme --timeout-seconds 0`);
    expect(tested).toMatchObject({
      code: 1,
      stderr: expect.stringMatching(/nobody sent it.*\n.*controller/),
    });
  });

  it.each([
    { args: 'webhook add http://example.com --customer acme', code: 2, want: /https:\/\// },
    { args: 'webhook add https://127.1/ --customer acme', code: 2, want: /public internet/ },
    { args: 'webhook add https://example.com --customer acme --event all', code: 2, want: /Allowed choices/ },
    { args: 'webhook add https://example.com --customer nobody', code: 1, want: /no customer "nobody"/ },
    { args: 'webhook remove 1 --customer acme', code: 2, want: /UUID/ },
    {
      args: `webhook remove ${'0'.repeat(8)}-0000-4000-8000-${'0'.repeat(12)} --customer acme`,
      code: 1,
      want: /webhook list/,
    },
    {
      args: `webhook deliveries ${'0'.repeat(8)}-0000-4000-8000-${'0'.repeat(12)} --customer acme`,
      code: 1,
      want: /no webhook/,
    },
  ])('refuses $args', async ({ args, code, want }) => {
    const refused = await runCli(['admin', ...args.split(' ')], { env: { DATABASE_URL: databaseUrl } });
    expect(refused).toEqual({ code, stdout: '', stderr: expect.stringMatching(want) });
  });
});

function admin(args: string): Promise<CliResult> {
  const env = { DATABASE_URL: databaseUrl, WEBHOOK_ALLOW_PRIVATE_ADDRESSES: 'true' };
  return runCli(['admin', ...args.split(' ')], { env });
}

async function adminJson(args: string) {
  const { code, stdout } = await admin(`${args} -o json`);
  expect(code).toBe(0);
  return JSON.parse(stdout);
}

/** What the leader does, until so many were sent. */
async function deliver(count: number): Promise<void> {
  const metrics = createMetrics({ defaultMetrics: false });
  const { pool } = database;
  const logger = runLogger('webhooks');
  const delivery = new WebhookDelivery({ pool, sender, metrics, logger, concurrency: 4 });
  while (countAttempts(await metrics.expose()) < count) {
    await delivery.run(new AbortController().signal);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

function countAttempts(exposed: string): number {
  return Number(/^phaserun_webhook_delivery_duration_seconds_count (\d+)$/m.exec(exposed)?.[1]);
}
