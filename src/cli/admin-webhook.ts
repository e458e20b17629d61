import { randomBytes } from 'node:crypto';
import { Command, InvalidArgumentError, Option } from 'commander';
import { loadConfig } from '../config.ts';
import { WEBHOOK_EVENT_TYPES, type WebhookEventType } from '../domain/webhook-event.ts';
import { showWebhookSecret } from '../domain/webhook-signature.ts';
import { parseWebhookUrl } from '../domain/webhook-url.ts';
import {
  createWebhookSubscription,
  enableWebhookSubscription,
  listWebhookSubscriptions,
  removeWebhookSubscription,
  SUBSCRIPTION_LIMIT,
  type WebhookSubscription,
} from '../store/webhook-subscriptions.ts';
import { adminWebhookDeliveryCommands } from './admin-webhook-deliveries.ts';
import { helpFooter } from './arguments.ts';
import { changeAudited } from './audited.ts';
import { customerOption } from './customer-reference.ts';
import { CommandFailure } from './failure.ts';
import { type Listing, note, type OutputFormat, outputOption, print, render } from './output.ts';
import { noSuchWebhook, webhookArgument } from './webhook-reference.ts';
import { withCustomer } from './with-customer.ts';
import { DATABASE_ENVIRONMENT } from './with-database.ts';

const SECRET_BYTES = 32;

interface Options {
  readonly customer: string;
  readonly output: OutputFormat;
}

/** `admin webhook`: where customers are told of what happens. */
export function adminWebhookCommand(): Command {
  const group = new Command('webhook')
    .summary('say where customers are told of what happens')
    .description(
      'A webhook is told of phases that were completed or failed, and of sessions that were completed, failed or expired: ' +
        'as CloudEvents, signed as Standard Webhooks has it, again and again for a day until it answers with a 2xx.',
    )
    .addCommand(addCommand())
    .addCommand(
      subcommand(
        'list',
        'Lists the webhooks of a customer.',
        'phaserun admin webhook list --customer acme',
      ).action(list),
    )
    .addCommand(
      webhookCommand('remove', 'Deletes a webhook with its log, and what it was yet to be told.').action(
        remove,
      ),
    )
    .addCommand(
      webhookCommand('enable', 'Tells a webhook that was disabled of what happens again.').action(enable),
    );
  for (const command of adminWebhookDeliveryCommands()) group.addCommand(command);
  return group;
}

function addCommand(): Command {
  const footer = helpFooter({
    examples: [
      'phaserun admin webhook add https://hooks.example.com/phaserun --customer acme',
      'phaserun admin webhook add https://hooks.example.com/phaserun --customer acme --event session.failed session.expired',
    ],
    environment: {
      ...DATABASE_ENVIRONMENT,
      WEBHOOK_ALLOW_PRIVATE_ADDRESSES: 'whether http and private addresses will do; default false',
    },
  });
  return new Command('add')
    .description('Tells an address of what happens from now on; prints the key of its signatures, this once.')
    .argument('<url>', 'https, and a host on the public internet', parseUrl)
    .addOption(customerOption())
    .addOption(
      new Option('--event <type...>', 'what to be told of')
        .choices(WEBHOOK_EVENT_TYPES)
        .default([...WEBHOOK_EVENT_TYPES], 'everything'),
    )
    .addOption(outputOption())
    .addHelpText('after', footer)
    .action(add);
}

function webhookCommand(name: string, description: string): Command {
  const example = `phaserun admin webhook ${name} 0190… --customer acme`;
  return subcommand(name, description, example).addArgument(webhookArgument());
}

function subcommand(name: string, description: string, example: string): Command {
  return new Command(name)
    .description(description)
    .addOption(customerOption())
    .addOption(outputOption())
    .addHelpText('after', helpFooter({ examples: [example], environment: DATABASE_ENVIRONMENT }));
}

async function add(
  url: string,
  { customer, event, output }: Options & { readonly event: readonly WebhookEventType[] },
): Promise<void> {
  const secret = randomBytes(SECRET_BYTES);
  const eventTypes = [...new Set(event)];
  const webhook = await withCustomer(customer, (connection, customerId) =>
    changeAudited(
      connection,
      (transaction) => createWebhookSubscription(transaction, { customerId, url, eventTypes, secret }),
      (made) =>
        made === null
          ? undefined
          : { customerId, eventType: 'webhook.created', metadata: { webhookId: made.id, url, eventTypes } },
    ),
  );
  if (webhook === null)
    throw new CommandFailure(`customer ${customer} has ${SUBSCRIPTION_LIMIT} webhooks, which is the most`);
  printNew(webhook, showWebhookSecret(secret), output);
}

/** As a line of its own the secret can be captured by a shell; only as a document does it come with the rest. */
function printNew(webhook: WebhookSubscription, secret: string, output: OutputFormat): void {
  note(`Webhook ${webhook.id}. This is the only time its secret is shown: store it where secrets go.`);
  const isDocument = output === 'json' || output === 'yaml';
  print(isDocument ? render(output, LISTING, [webhook], { ...webhook, secret }) : `${secret}\n`);
}

async function list({ customer, output }: Options): Promise<void> {
  const webhooks = await withCustomer(customer, listWebhookSubscriptions);
  if (webhooks.length === 0)
    note(`Customer ${customer} has no webhooks. How to add one: phaserun admin webhook add --help`);
  print(render(output, LISTING, webhooks));
}

async function remove(id: string, options: Options): Promise<void> {
  const webhook = await change('webhook.deleted', id, options, removeWebhookSubscription);
  note(`Webhook ${id} (${webhook.url}) is told of nothing any more.`);
}

async function enable(id: string, options: Options): Promise<void> {
  const webhook = await change('webhook.enabled', id, options, enableWebhookSubscription);
  print(render(options.output, LISTING, [webhook], webhook));
}

async function change(
  eventType: string,
  id: string,
  { customer }: Options,
  work: typeof removeWebhookSubscription,
): Promise<WebhookSubscription> {
  const webhook = await withCustomer(customer, (connection, customerId) =>
    changeAudited(
      connection,
      (transaction) => work(transaction, customerId, id),
      (changed) =>
        changed === null
          ? undefined
          : { customerId, eventType, metadata: { webhookId: id, url: changed.url } },
    ),
  );
  if (webhook === null) throw noSuchWebhook(id, customer);
  return webhook;
}

function parseUrl(text: string): string {
  const parsed = parseWebhookUrl(text, loadConfig().webhooks);
  if (parsed.ok) return parsed.url;
  throw new InvalidArgumentError(`It ${parsed.message}.`);
}

function stateOf({ disabledReason, failingSince }: WebhookSubscription): string {
  return disabledReason ?? (failingSince === null ? 'active' : 'retrying');
}

const LISTING: Listing<WebhookSubscription> = {
  name: ({ id }) => `webhook/${id}`,
  columns: [
    { header: 'ID', value: ({ id }) => id },
    { header: 'URL', value: ({ url }) => url },
    { header: 'STATE', value: stateOf },
    { header: 'EVENTS', value: ({ eventTypes }) => eventTypes.join(',') },
    { header: 'FAILING-SINCE', value: ({ failingSince }) => failingSince ?? undefined, wide: true },
    { header: 'CREATED', value: ({ createdAt }) => createdAt, wide: true },
  ],
};
