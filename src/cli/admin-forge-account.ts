import { Command, InvalidArgumentError, Option } from 'commander';
import { compact } from '../domain/compact.ts';
import { isOwnerId } from '../domain/owner-id.ts';
import type { Forge } from '../domain/phase.ts';
import { parseRepositoryName } from '../domain/repository-name.ts';
import type { Customer } from '../store/customers.ts';
import type { Connection } from '../store/database.ts';
import { DatabaseError } from '../store/errors.ts';
import {
  addForgeAccount,
  type ForgeAccount,
  ForgeAccountTakenError,
  listForgeAccounts,
  removeForgeAccount,
  verifyForgeAccount,
} from '../store/forge-accounts.ts';
import { forgeOption, helpFooter, shellWord } from './arguments.ts';
import { type AccountDraft, changeAccountAudited } from './audited-changes.ts';
import { customerOption, requireCustomer } from './customer-reference.ts';
import { CommandFailure } from './failure.ts';
import { type Listing, note, type OutputFormat, outputOption, print, render } from './output.ts';
import { DATABASE_ENVIRONMENT, withDatabase } from './with-database.ts';

interface ListOptions {
  readonly customer: string;
  readonly output: OutputFormat;
}

interface AccountOptions extends ListOptions {
  readonly forge: Forge;
}

interface VerifyOptions extends AccountOptions {
  readonly ownerId?: string;
}

/** `admin forge-account`: whose repositories a customer may use. */
export function adminForgeAccountCommand(): Command {
  return new Command('forge-account')
    .summary('say whose repositories a customer may use')
    .description(
      'A customer may store and retrieve for the repositories of its verified forge accounts. An account that was ' +
        'added and not verified opens nothing. One customer at a time can have a namespace verified; a GitLab group ' +
        'covers its subgroups, unless a subgroup is verified for another customer.',
    )
    .addCommand(
      accountCommand('add', 'Notes that a customer claims a namespace; it opens nothing yet.').action(add),
    )
    .addCommand(
      accountCommand('verify', 'Opens a claimed namespace to its customer, once you know it is theirs.')
        .addOption(ownerIdOption())
        .action(verify),
    )
    .addCommand(
      subcommand(
        'list',
        'Lists the forge accounts of a customer.',
        'phaserun admin forge-account list --customer acme',
      ).action(list),
    )
    .addCommand(
      accountCommand(
        'remove',
        'Takes a namespace from a customer, at once; results that are stored stay.',
      ).action(remove),
    );
}

/** A name on GitHub that was given up is anybody's; its id is not. */
function ownerIdOption(): Option {
  return new Option(
    '--owner-id <id>',
    'open it to the CI jobs of this GitHub account alone, whoever has the name later; see: gh api users/<namespace> --jq .id',
  ).argParser((id) => {
    if (isOwnerId(id)) return id;
    throw new InvalidArgumentError('It must be the number by which GitHub knows the account.');
  });
}

function accountCommand(name: string, description: string): Command {
  return subcommand(
    name,
    description,
    `phaserun admin forge-account ${name} acme --customer acme --forge github`,
  )
    .argument('<namespace>', 'owner, organisation or group')
    .addOption(forgeOption().default('github'));
}

function subcommand(name: string, description: string, example: string): Command {
  return new Command(name)
    .description(description)
    .addOption(customerOption())
    .addOption(outputOption())
    .addHelpText('after', helpFooter({ examples: [example], environment: DATABASE_ENVIRONMENT }));
}

async function add(namespace: string, options: AccountOptions): Promise<void> {
  const account = await changeAccount('added', namespace, options, addForgeAccount);
  if (account.verifiedAt === null) {
    const { customer, forge } = options;
    const verify = `phaserun admin forge-account verify ${namespace} --customer ${shellWord(customer)} --forge ${forge}`;
    note(`It opens nothing yet. Once you know that it is theirs: ${verify}`);
  }
  print(render(options.output, LISTING, [account], account));
}

async function verify(namespace: string, options: VerifyOptions): Promise<void> {
  if (options.ownerId !== undefined && options.forge !== 'github')
    throw new CommandFailure('--owner-id is for github accounts: no jobs of others bring tokens', {
      exitCode: 2,
    });
  const verifying = changeAccount('verified', namespace, options, verifyForgeAccount);
  const account = await verifying.catch(explainTaken);
  if (account === null) throw notClaimed(namespace, options);
  print(render(options.output, LISTING, [account], account));
}

/** For the catch of what verifies an account. @throws {CommandFailure} where it is another customer's, else what it is given */
export function explainTaken(error: unknown): never {
  const cause = error instanceof DatabaseError ? error.cause : undefined;
  if (!(cause instanceof ForgeAccountTakenError)) throw error;
  throw new CommandFailure(cause.message, {
    advice:
      'To move it, remove it from the other customer first. They are all in: phaserun admin customer list',
  });
}

async function remove(namespace: string, options: AccountOptions): Promise<void> {
  const isRemoved = await changeAccount('removed', namespace, options, removeForgeAccount);
  if (!isRemoved) throw notClaimed(namespace, options);
  note(`Customer ${options.customer} has ${options.forge} namespace ${namespace} no more.`);
}

async function list({ customer, output }: ListOptions): Promise<void> {
  const accounts = await withDatabase(async (connection) => {
    const { id } = await requireCustomer(connection, customer);
    return listForgeAccounts(connection, id);
  });
  if (accounts.length === 0)
    note(
      `Customer ${customer} has no forge accounts. How to add one: phaserun admin forge-account add --help`,
    );
  print(render(output, LISTING, accounts));
}

type AccountWork<T> = (
  connection: Connection,
  customerId: Customer['id'],
  account: AccountDraft,
) => Promise<T>;

/** @param work answers null or false where there is nothing to change */
async function changeAccount<T>(
  verb: 'added' | 'removed' | 'verified',
  namespace: string,
  options: VerifyOptions,
  work: AccountWork<T>,
): Promise<T> {
  const { forge, customer, ownerId } = options;
  const account = { forge, namespace, ...compact({ ownerId }) };
  requireNamespaceName(forge, namespace);
  return withDatabase(async (connection) => {
    const { id: customerId } = await requireCustomer(connection, customer);
    return changeAccountAudited(connection, verb, customerId, account, work);
  });
}

/** What no repository can be in would open nothing, and hide a slip of the pen. */
function requireNamespaceName(forge: Forge, namespace: string): void {
  const parsed = parseRepositoryName(forge, `${namespace}/name`);
  if (!parsed.ok)
    throw new CommandFailure(`${JSON.stringify(namespace)} is no ${forge} namespace`, { exitCode: 2 });
}

function notClaimed(namespace: string, { customer, forge }: AccountOptions): CommandFailure {
  return new CommandFailure(`customer ${customer} has not claimed ${forge} namespace ${namespace}`, {
    advice: `List those that are: phaserun admin forge-account list --customer ${shellWord(customer)}`,
  });
}

const LISTING: Listing<ForgeAccount> = {
  name: ({ forge, namespace }) => `forge-account/${forge}/${namespace}`,
  columns: [
    { header: 'FORGE', value: ({ forge }) => forge },
    { header: 'NAMESPACE', value: ({ namespace }) => namespace },
    { header: 'VERIFIED', value: ({ verifiedAt }) => verifiedAt ?? 'no' },
    {
      header: 'OWNER-ID',
      value: ({ forge, ownerId }) => ownerId ?? (forge === 'github' ? 'not pinned' : ''),
    },
    { header: 'CREATED', value: ({ createdAt }) => createdAt, wide: true },
    { header: 'ID', value: ({ id }) => id, wide: true },
  ],
};
