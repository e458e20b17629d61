import { setTimeout as sleep } from 'node:timers/promises';
import { Command, Option } from 'commander';
import { compact } from '../domain/compact.ts';
import type { Connection } from '../store/database.ts';
import {
  DELIVERY_STATES,
  type DeliveryState,
  enqueueTestDelivery,
  findDelivery,
  listDeliveries,
  replayDelivery,
  type SubscriptionReference,
  type WebhookDelivery,
} from '../store/webhook-deliveries.ts';
import { findWebhookSubscription } from '../store/webhook-subscriptions.ts';
import { helpFooter, integerBetween } from './arguments.ts';
import { changeAudited } from './audited.ts';
import { customerOption } from './customer-reference.ts';
import { CommandFailure } from './failure.ts';
import { type Listing, note, type OutputFormat, outputOption, print, render } from './output.ts';
import { noSuchWebhook, webhookArgument, webhookDisabled } from './webhook-reference.ts';
import { withCustomer } from './with-customer.ts';
import { DATABASE_ENVIRONMENT } from './with-database.ts';

interface Options {
  readonly customer: string;
  readonly output: OutputFormat;
}

/** What `admin webhook` has for what was sent: `deliveries`, `replay` and `test`. */
export function adminWebhookDeliveryCommands(): readonly Command[] {
  return [
    subcommand('deliveries', 'Lists what a webhook was told or is to be, the newest first.')
      .addOption(new Option('--state <state>', 'those alone').choices(DELIVERY_STATES))
      .option('--limit <number>', 'how many at most', integerBetween(1, 1_000), 20)
      .action(deliveries),
    subcommand('replay', 'Tells a webhook of something again, under the same webhook-id.', '4711')
      .argument('<delivery-id>', 'as "deliveries" shows it', integerBetween(1, Number.MAX_SAFE_INTEGER))
      .action(replay),
    subcommand(
      'test',
      'Sends a webhook an event of type webhook.test, and says how that went. The controller sends it: it must run.',
    )
      .option('--timeout-seconds <seconds>', 'how long to wait for that', integerBetween(0, 600), 15)
      .action(test),
  ];
}

function subcommand(name: string, description: string, ...more: string[]): Command {
  const example = ['phaserun admin webhook', name, '0190…', ...more, '--customer acme'].join(' ');
  return new Command(name)
    .description(description)
    .addArgument(webhookArgument())
    .addOption(customerOption())
    .addOption(outputOption())
    .addHelpText('after', helpFooter({ examples: [example], environment: DATABASE_ENVIRONMENT }));
}

interface ListOptions extends Options {
  readonly state?: DeliveryState;
  readonly limit: number;
}

async function deliveries(
  subscriptionId: string,
  { customer, state, limit, output }: ListOptions,
): Promise<void> {
  const listed = await withWebhook(subscriptionId, customer, (connection, webhook) =>
    listDeliveries(connection, webhook, compact({ state, limit })),
  );
  if (listed.length === 0) note('There are none.');
  print(render(output, LISTING, listed));
}

async function replay(subscriptionId: string, id: number, { customer, output }: Options): Promise<void> {
  const delivery = await withWebhook(subscriptionId, customer, async (connection, webhook) => {
    if ((await findDelivery(connection, webhook, id)) === null)
      throw new CommandFailure(`webhook ${subscriptionId} has no delivery ${id}`);
    return changeAudited(
      connection,
      (transaction) => replayDelivery(transaction, webhook, id),
      (replayed) =>
        replayed === null
          ? undefined
          : {
              customerId: webhook.customerId,
              eventType: 'webhook.replayed',
              metadata: { webhookId: subscriptionId, deliveryId: id, eventId: replayed.eventId },
            },
    );
  });
  if (delivery === null) throw webhookDisabled(subscriptionId, customer);
  print(render(output, LISTING, [delivery], delivery));
}

const LOOK_EVERY_MS = 250;

async function test(
  subscriptionId: string,
  { customer, timeoutSeconds, output }: Options & { readonly timeoutSeconds: number },
): Promise<void> {
  const delivery = await withWebhook(subscriptionId, customer, async (connection, webhook) => {
    const queued = await enqueueTestDelivery(connection, webhook);
    if (queued === null) throw webhookDisabled(subscriptionId, customer);
    return untilAttempted(connection, webhook, queued, Date.now() + timeoutSeconds * 1000);
  });
  print(render(output, LISTING, [delivery], delivery));
  if (delivery.state === 'delivered') return;
  if (delivery.lastError !== null) throw new CommandFailure(`it did not arrive: ${delivery.lastError}`);
  throw new CommandFailure(`nobody sent it within ${timeoutSeconds} seconds`, {
    advice: 'Does the controller run? It sends what is queued as soon as it does.',
  });
}

/** The delivery once its first attempt ended, or as it is when time is up. */
async function untilAttempted(
  connection: Connection,
  webhook: SubscriptionReference,
  queued: WebhookDelivery,
  deadline: number,
): Promise<WebhookDelivery> {
  let delivery = queued;
  while (delivery.state === 'pending' && delivery.lastError === null && Date.now() < deadline) {
    await sleep(LOOK_EVERY_MS);
    delivery = (await findDelivery(connection, webhook, queued.id)) ?? delivery;
  }
  return delivery;
}

function withWebhook<T>(
  subscriptionId: string,
  customer: string,
  work: (connection: Connection, webhook: SubscriptionReference) => Promise<T>,
): Promise<T> {
  return withCustomer(customer, async (connection, customerId) => {
    if ((await findWebhookSubscription(connection, customerId, subscriptionId)) === null)
      throw noSuchWebhook(subscriptionId, customer);
    return work(connection, { customerId, subscriptionId });
  });
}

const LISTING: Listing<WebhookDelivery> = {
  name: ({ id }) => `delivery/${id}`,
  columns: [
    { header: 'ID', value: ({ id }) => id },
    { header: 'EVENT', value: ({ eventType }) => eventType },
    { header: 'STATE', value: ({ state }) => state },
    { header: 'ATTEMPTS', value: ({ attempts }) => attempts },
    { header: 'LAST', value: ({ lastStatus, lastError }) => lastError ?? lastStatus ?? undefined },
    { header: 'CREATED', value: ({ createdAt }) => createdAt },
    { header: 'NEXT-ATTEMPT', value: ({ nextAttemptAt }) => nextAttemptAt ?? undefined, wide: true },
    { header: 'WEBHOOK-ID', value: ({ eventId }) => eventId, wide: true },
  ],
};
