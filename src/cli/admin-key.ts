import { Command, Option } from 'commander';
import { type ApiKeyRow, listApiKeys, type NewApiKey, rotateApiKey } from '../store/api-keys.ts';
import { SCOPES, type Scope } from '../store/principal.ts';
import { helpFooter, integerBetween, parseName, shellWord } from './arguments.ts';
import { changeAudited } from './audited.ts';
import { createKeyAudited, revokeKeyAudited } from './audited-changes.ts';
import { customerOption } from './customer-reference.ts';
import { CommandFailure } from './failure.ts';
import { type Listing, note, type OutputFormat, outputOption, print, render } from './output.ts';
import { withCustomer } from './with-customer.ts';
import { DATABASE_ENVIRONMENT } from './with-database.ts';

const DEFAULT_SCOPES: readonly Scope[] = ['phases:read', 'phases:write'];

interface ListOptions {
  readonly customer: string;
  readonly output: OutputFormat;
}

/** `admin key`: what runners authenticate with. */
export function adminKeyCommand(): Command {
  return new Command('key')
    .summary('create, list, revoke and rotate API keys')
    .description('API keys let runners in. A key is shown once, when it is made; only its hash is kept.')
    .addCommand(createCommand())
    .addCommand(
      subcommand('list', 'Lists the keys of a customer, the newest first.', [
        'phaserun admin key list --customer acme',
      ]).action(list),
    )
    .addCommand(
      subcommand('revoke', 'Ends a key at once.', ['phaserun admin key revoke 0Ab3… --customer acme'])
        .argument('<key-id>', 'the part between rsolv_ and the second underscore')
        .action(revoke),
    )
    .addCommand(rotateCommand());
}

/** `--scope`; commands read it as `scope`. */
export function scopeOption(): Option {
  return new Option('--scope <scope...>', 'what it is good for; may be repeated')
    .choices(SCOPES)
    .default(DEFAULT_SCOPES);
}

function createCommand(): Command {
  return subcommand('create', 'Makes a key and prints it to stdout, this once.', [
    'phaserun admin key create --customer acme',
    'phaserun admin key create --customer acme --name nightly --scope phases:read --expires-in-days 90',
    'phaserun admin key create --customer acme -o json | jq -r .apiKey | gh secret set RSOLV_API_KEY',
  ])
    .option('--name <name>', 'to tell keys apart', parseName, 'default')
    .addOption(scopeOption())
    .option('--expires-in-days <days>', 'when it ends by itself', integerBetween(1, 36_500))
    .action(create);
}

function rotateCommand(): Command {
  return subcommand(
    'rotate',
    'Makes a key like another, which ends after an overlap, and prints it this once.',
    ['phaserun admin key rotate 0Ab3… --customer acme --overlap-hours 48'],
  )
    .argument('<key-id>', 'the key to replace')
    .option('--overlap-hours <hours>', 'how long both are good', integerBetween(0, 8_760), 24)
    .action(rotate);
}

function subcommand(name: string, description: string, examples: readonly string[]): Command {
  return new Command(name)
    .description(description)
    .addOption(customerOption())
    .addOption(outputOption())
    .addHelpText('after', helpFooter({ examples, environment: DATABASE_ENVIRONMENT }));
}

interface CreateOptions extends ListOptions {
  readonly name: string;
  readonly scope: readonly Scope[];
  readonly expiresInDays?: number;
}

async function create({ customer, name, scope, expiresInDays, output }: CreateOptions): Promise<void> {
  const expiresAt = expiresInDays === undefined ? {} : { expiresAt: daysFromNow(expiresInDays) };
  const scopes = [...new Set(scope)];
  const key = await withCustomer(customer, (connection, customerId) =>
    createKeyAudited(connection, { customerId, name, scopes, ...expiresAt }),
  );
  printNewKey(key, output);
}

async function rotate(
  keyId: string,
  options: ListOptions & { readonly overlapHours: number },
): Promise<void> {
  const { customer, overlapHours, output } = options;
  const key = await withCustomer(customer, (connection, customerId) =>
    changeAudited(
      connection,
      (transaction) => rotateApiKey(transaction, customerId, keyId, { overlapSeconds: overlapHours * 3600 }),
      (successor) =>
        successor === null
          ? undefined
          : {
              customerId,
              eventType: 'api_key.rotated',
              metadata: { keyId, overlapHours, successor: successor.id },
            },
    ),
  );
  if (key === null) throw noSuchKey(keyId, customer, 'that is still good');
  note(`Key ${keyId} ends in ${overlapHours} hours.`);
  printNewKey(key, output);
}

async function revoke(keyId: string, { customer, output }: ListOptions): Promise<void> {
  const key = await withCustomer(customer, (connection, customerId) =>
    revokeKeyAudited(connection, customerId, keyId),
  );
  if (key === null) throw noSuchKey(keyId, customer, 'of this id');
  print(render(output, LISTING, [key], key));
}

async function list({ customer, output }: ListOptions): Promise<void> {
  const keys = await withCustomer(customer, listApiKeys);
  if (keys.length === 0)
    note(`Customer ${customer} has no keys. How to make one: phaserun admin key create --help`);
  print(render(output, LISTING, keys));
}

/** As a line of its own the key can be captured by a shell; only as a document does it come with the rest. */
function printNewKey(key: NewApiKey, output: OutputFormat): void {
  note(
    `Key ${key.id} for ${key.scopes.join(', ')}. This is the only time it is shown: store it where secrets go.`,
  );
  const isDocument = output === 'json' || output === 'yaml';
  print(isDocument ? render(output, LISTING, [key], key) : `${key.apiKey}\n`);
}

function noSuchKey(keyId: string, customer: string, which: string): CommandFailure {
  return new CommandFailure(`customer ${customer} has no key ${JSON.stringify(keyId)} ${which}`, {
    advice: `List them with: phaserun admin key list --customer ${shellWord(customer)}`,
  });
}

function daysFromNow(days: number): string {
  return new Date(Date.now() + days * 86_400_000).toISOString();
}

function stateOf({ revokedAt, expiresAt }: ApiKeyRow): string {
  if (revokedAt !== null) return 'revoked';
  return expiresAt !== null && Date.parse(expiresAt) <= Date.now() ? 'expired' : 'valid';
}

const LISTING: Listing<ApiKeyRow> = {
  name: ({ id }) => `key/${id}`,
  columns: [
    { header: 'ID', value: ({ id }) => id },
    { header: 'NAME', value: ({ name }) => name },
    { header: 'SCOPES', value: ({ scopes }) => scopes.join(',') },
    { header: 'STATE', value: stateOf },
    { header: 'LAST-USED', value: ({ lastUsedAt }) => lastUsedAt ?? 'never' },
    { header: 'EXPIRES', value: ({ expiresAt }) => expiresAt ?? 'never', wide: true },
    { header: 'CREATED', value: ({ createdAt }) => createdAt, wide: true },
  ],
};
