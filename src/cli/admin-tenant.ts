import { Command, InvalidArgumentError } from 'commander';
import { isOwnerId } from '../domain/owner-id.ts';
import { FORGES } from '../domain/phase.ts';
import { parseRepositoryName } from '../domain/repository-name.ts';
import type { KubeClient } from '../kube/client.ts';
import { KubeError } from '../kube/kube-error.ts';
import type { ObjectName } from '../kube/kube-object.ts';
import type { ApiKeyRow, NewApiKey } from '../store/api-keys.ts';
import type { Customer } from '../store/customers.ts';
import type { Connection } from '../store/database.ts';
import { DatabaseError } from '../store/errors.ts';
import type { Scope } from '../store/principal.ts';
import { explainTaken } from './admin-forge-account.ts';
import { scopeOption } from './admin-key.ts';
import { helpFooter, parseName } from './arguments.ts';
import type { AccountDraft } from './audited-changes.ts';
import type { Ensured } from './ensured.ts';
import { CommandFailure } from './failure.ts';
import { createKeySecret } from './key-secret.ts';
import { bindNamespace } from './namespace-binding.ts';
import { type Listing, note, type OutputFormat, outputOption, print, render } from './output.ts';
import { ensureTenant, type Tenant } from './tenant.ts';
import { ensureHeldKey, ensureNamedKey } from './tenant-key.ts';
import { DATABASE_ENVIRONMENT, withDatabase } from './with-database.ts';
import { KUBERNETES_ENVIRONMENT, withKubernetes } from './with-kubernetes.ts';

/** `admin tenant`: a customer with all that it needs. */
export function adminTenantCommand(): Command {
  return new Command('tenant')
    .summary('set up a customer with all that it needs')
    .description('A tenant is a customer with its forge accounts, namespaces and key.')
    .addCommand(createCommand());
}

function createCommand(): Command {
  return new Command('create')
    .description(
      'Makes sure of a customer, its verified forge accounts, its namespaces and a key. What is there already stays, ' +
        'so it can run again at any time, and does after it was interrupted. Beside what is named here nothing is taken away.',
    )
    .argument('<name>', 'of the customer', parseName)
    .option(
      '--forge-account <account...>',
      'whose repositories it may use, such as gitlab/acme/security, or github/acme@4217, which pins the owner by the ' +
        'id of: gh api users/acme --jq .id',
      collect(parseAccount),
    )
    .option(
      '--namespace <namespace...>',
      'Kubernetes namespaces whose PhaseRuns are its own; they must exist',
      collect(parseLabel),
    )
    .addOption(scopeOption())
    .option('--key-name <name>', 'to tell keys apart', parseName, 'default')
    .option(
      '--key-secret <namespace/name>',
      'Kubernetes Secret for the key (api-key, api-url), which then is not shown. A key there that is good stays',
      parseObjectName,
    )
    .option('--api-url <url>', 'address of the API, for the Secret', parseUrl)
    .addOption(outputOption())
    .addHelpText('after', helpFooter({ examples: EXAMPLES, environment: ENVIRONMENT }))
    .action(create);
}

const EXAMPLES = [
  'phaserun admin tenant create acme --forge-account github/acme@4217',
  'phaserun admin tenant create acme --forge-account github/acme -o json | jq -r .apiKey | gh secret set RSOLV_API_KEY',
  `phaserun admin tenant create acme --forge-account gitlab/acme/security --namespace acme \\
    --key-secret ci/phaserun --api-url https://phaserun.example.com`,
];

const ENVIRONMENT = {
  ...DATABASE_ENVIRONMENT,
  KUBECONFIG: `for --namespace and --key-secret: ${KUBERNETES_ENVIRONMENT['KUBECONFIG']}`,
};

interface Options {
  readonly forgeAccount?: readonly AccountDraft[];
  readonly namespace?: readonly string[];
  readonly scope: readonly Scope[];
  readonly keyName: string;
  readonly keySecret?: Required<ObjectName>;
  readonly apiUrl?: string;
  readonly output: OutputFormat;
}

async function create(name: string, options: Options): Promise<void> {
  if ((options.keySecret === undefined) !== (options.apiUrl === undefined))
    throw new CommandFailure('--key-secret and --api-url go together', { exitCode: 2 });
  const { tenant, namespaces, key } = await withDatabase(async (connection) => {
    const tenant = await ensureTenant(connection, name, options.forgeAccount ?? []).catch(explainTaken);
    const customer = tenant.customer.value;
    const namespaces = await bindNamespaces(connection, customer, options.namespace ?? []);
    return { tenant, namespaces, key: await ensureKey(connection, customer, options) };
  });
  report(tenant, namespaces, key, options);
}

async function bindNamespaces(
  connection: Connection,
  { id: customerId }: Customer,
  names: readonly string[],
): Promise<readonly Ensured<string>[]> {
  if (names.length === 0) return [];
  return withKubernetes(async (client) => {
    const bound: Ensured<string>[] = [];
    for (const name of names) {
      const { change } = await bindNamespace(connection, client, name, { customerId });
      bound.push({ value: name, change });
    }
    return bound;
  });
}

function ensureKey(
  connection: Connection,
  customer: Customer,
  { keyName, scope, keySecret, apiUrl }: Options,
): Promise<Ensured<ApiKeyRow | NewApiKey>> {
  const draft = { name: keyName, scopes: [...new Set(scope)] };
  if (keySecret === undefined || apiUrl === undefined) return ensureNamedKey(connection, customer, draft);
  return withKubernetes((client: KubeClient) =>
    ensureHeldKey(connection, customer, draft, createKeySecret(client, keySecret, apiUrl)),
  ).catch(explainHolder);
}

/** What went wrong with the Secret comes wrapped, since it went wrong within a transaction. */
function explainHolder(error: unknown): never {
  const cause = error instanceof DatabaseError ? error.cause : undefined;
  throw cause instanceof CommandFailure || cause instanceof KubeError ? cause : error;
}

function report(
  { customer, forgeAccounts }: Tenant,
  namespaces: readonly Ensured<string>[],
  key: Ensured<ApiKeyRow | NewApiKey>,
  { keySecret, output }: Options,
): void {
  const secret = keySecret === undefined ? {} : { secret: `${keySecret.namespace}/${keySecret.name}` };
  const apiKey = 'apiKey' in key.value ? key.value.apiKey : undefined;
  const { id, name, scopes } = key.value;
  const rows: readonly Row[] = [
    { object: `customer/${customer.value.name}`, change: customer.change },
    ...forgeAccounts.map(({ value, change }) => ({
      object: `forge-account/${value.forge}/${value.namespace}`,
      change,
    })),
    ...namespaces.map(({ value, change }) => ({ object: `namespace/${value}`, change })),
    { object: `key/${id}`, change: key.change },
  ];
  noteKey(key, secret.secret);
  print(
    render(output, LISTING, rows, {
      customer: customer.value,
      forgeAccounts: forgeAccounts.map(({ value }) => value),
      namespaces: namespaces.map(({ value }) => value),
      key: { id, name, scopes, ...secret },
      changes: rows,
      ...(apiKey !== undefined && { apiKey }),
    }),
  );
  const isDocument = output === 'json' || output === 'yaml';
  if (apiKey !== undefined && !isDocument) print(`${apiKey}\n`);
}

function noteKey({ value, change }: Ensured<ApiKeyRow | NewApiKey>, secret: string | undefined): void {
  if (secret !== undefined) note(`Key ${value.id} is in Secret ${secret}.`);
  else if ('apiKey' in value) note(`Key ${value.id} is shown this once: store it where secrets go.`);
  else if (change === 'unchanged')
    note(
      `Key ${value.id} is good and stays; it cannot be shown again. Another: phaserun admin key create --help`,
    );
}

interface Row {
  readonly object: string;
  readonly change: Ensured<unknown>['change'];
}

const LISTING: Listing<Row> = {
  name: ({ object }) => object,
  columns: [
    { header: 'OBJECT', value: ({ object }) => object },
    { header: 'CHANGE', value: ({ change }) => change },
  ],
};

/** Parses each value of an option that takes several. */
function collect<T>(parse: (text: string) => T): (text: string, before?: readonly T[]) => readonly T[] {
  return (text, before = []) => [...before, parse(text)];
}

function parseAccount(text: string): AccountDraft {
  const {
    forge: forgeName,
    namespace = '',
    ownerId,
  } = /^(?<forge>[^/@]+)\/(?<namespace>[^@]+)(?:@(?<ownerId>.+))?$/.exec(text)?.groups ?? {};
  const forge = FORGES.find((each) => each === forgeName);
  if (forge === undefined || !parseRepositoryName(forge, `${namespace}/name`).ok)
    throw new InvalidArgumentError(
      `It must be ${FORGES.join(' or ')}, a slash, and a namespace there, such as github/acme.`,
    );
  if (ownerId === undefined) return { forge, namespace };
  if (forge !== 'github' || !isOwnerId(ownerId))
    throw new InvalidArgumentError('An owner id is the number by which GitHub knows the account.');
  return { forge, namespace, ownerId };
}

const LABEL = /^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$/;
const SUBDOMAIN = /^(?=.{1,253}$)[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$/;

function parseLabel(text: string): string {
  if (LABEL.test(text)) return text;
  throw new InvalidArgumentError('It must be the name of a Kubernetes namespace.');
}

function parseObjectName(text: string): Required<ObjectName> {
  const [namespace = '', name = '', ...rest] = text.split('/');
  if (LABEL.test(namespace) && SUBDOMAIN.test(name) && rest.length === 0) return { namespace, name };
  throw new InvalidArgumentError('It must be the namespace of a Secret, a slash, and its name.');
}

function parseUrl(text: string): string {
  if (['http:', 'https:'].includes(URL.parse(text)?.protocol ?? '')) return text;
  throw new InvalidArgumentError('It must be a URL that starts with http:// or https://.');
}
