import { Command, InvalidArgumentError } from 'commander';
import { z } from 'zod';
import { compact } from '../domain/compact.ts';
import type { Forge } from '../domain/phase.ts';
import { parseRepositoryName } from '../domain/repository-name.ts';
import { addLegalHold, type LegalHold, listLegalHolds, removeLegalHold } from '../store/legal-holds.ts';
import { forgeOption, helpFooter, issueNumber, shellWord } from './arguments.ts';
import { changeAudited } from './audited.ts';
import { customerOption, requireCustomer } from './customer-reference.ts';
import { CommandFailure } from './failure.ts';
import { type Listing, note, type OutputFormat, outputOption, print, render } from './output.ts';
import { withCustomer } from './with-customer.ts';
import { DATABASE_ENVIRONMENT, withDatabase } from './with-database.ts';

/** `admin legal-hold`: what nobody may take away. */
export function adminLegalHoldCommand(): Command {
  return new Command('legal-hold')
    .summary('keep what nobody may take away')
    .description(
      'Under a legal hold no row, no data and no session goes for its age, and deletion on request is refused (409), until the ' +
        'hold is removed. A hold is upon all of a customer, a repository, or an issue of it. PhaseRuns still go at the end ' +
        'of their TTL: their rows stay.',
    )
    .addCommand(addCommand())
    .addCommand(removeCommand())
    .addCommand(listCommand());
}

function addCommand(): Command {
  return new Command('add')
    .description(
      'Holds what there is and what will come. Once this command has ended, nothing of it goes any more.',
    )
    .addOption(customerOption())
    .option('--repo <owner/name>', 'that repository alone; it need not be known yet')
    .addOption(forgeOption().default('github'))
    .option('--issue <number>', 'that issue of it alone', issueNumber)
    .requiredOption('--reason <text>', 'why, for whoever reads the list; at most 500 characters', parseReason)
    .addOption(outputOption())
    .addHelpText(
      'after',
      helpFooter({
        examples: [
          'phaserun admin legal-hold add --customer acme --reason "case 2217"',
          'phaserun admin legal-hold add --customer acme --repo acme/shop --issue 1204 --reason "case 2217"',
        ],
        environment: DATABASE_ENVIRONMENT,
      }),
    )
    .action(add);
}

interface AddOptions {
  readonly customer: string;
  readonly repo?: string;
  readonly forge: Forge;
  readonly issue?: number;
  readonly reason: string;
  readonly output: OutputFormat;
}

async function add({ customer, repo, forge, issue, reason, output }: AddOptions): Promise<void> {
  if (issue !== undefined && repo === undefined)
    throw new CommandFailure('--issue belongs to one repository: name its --repo as well', { exitCode: 2 });
  const repository = repo === undefined ? undefined : parseRepo(forge, repo);
  const hold = await withCustomer(customer, (connection, customerId) =>
    changeAudited(
      connection,
      (transaction) =>
        addLegalHold(transaction, compact({ customerId, repository, issueNumber: issue }), reason),
      (added) => (added === null ? undefined : describe(added, 'legal_hold.added')),
    ),
  );
  if (hold === null) {
    throw new CommandFailure('there is such a hold already', {
      advice: `See it with: phaserun admin legal-hold list --customer ${shellWord(customer)}`,
    });
  }
  print(render(output, LISTING, [hold], hold));
}

function parseRepo(forge: Forge, text: string) {
  const parsed = parseRepositoryName(forge, text);
  if (parsed.ok) return parsed.value;
  throw new CommandFailure(`--repo ${parsed.message}`, { exitCode: 2 });
}

function removeCommand(): Command {
  return new Command('remove')
    .description('Releases a hold: what is too old by then goes with the next round of retention.')
    .argument('<id>', 'as listed', parseId)
    .addOption(customerOption())
    .addOption(outputOption())
    .addHelpText(
      'after',
      helpFooter({
        examples: ['phaserun admin legal-hold remove 0190c6f2-… --customer acme'],
        environment: DATABASE_ENVIRONMENT,
      }),
    )
    .action(async (id: string, { customer, output }: { customer: string; output: OutputFormat }) => {
      const hold = await withCustomer(customer, (connection, customerId) =>
        changeAudited(
          connection,
          (transaction) => removeLegalHold(transaction, customerId, id),
          (removed) => (removed === null ? undefined : describe(removed, 'legal_hold.removed')),
        ),
      );
      if (hold === null) {
        throw new CommandFailure(`the customer has no legal hold ${id}`, {
          advice: `List them with: phaserun admin legal-hold list --customer ${shellWord(customer)}`,
        });
      }
      print(render(output, LISTING, [hold], hold));
    });
}

function listCommand(): Command {
  return new Command('list')
    .description('Lists legal holds, the oldest first.')
    .option('--customer <name|id>', 'of that one alone')
    .addOption(outputOption())
    .addHelpText(
      'after',
      helpFooter({ examples: ['phaserun admin legal-hold list'], environment: DATABASE_ENVIRONMENT }),
    )
    .action(async ({ customer, output }: { customer?: string; output: OutputFormat }) => {
      const holds = await withDatabase(async (connection) => {
        const id = customer === undefined ? undefined : (await requireCustomer(connection, customer)).id;
        return listLegalHolds(connection, id);
      });
      if (holds.length === 0) note('There are no legal holds.');
      print(render(output, LISTING, holds));
    });
}

function describe(
  { id, customerId, forge, repository, issueNumber: issue, reason }: LegalHold,
  eventType: string,
) {
  return {
    customerId,
    eventType,
    metadata: { legalHold: id, forge, repository, issueNumber: issue, reason },
  };
}

const REASON_LIMIT = 500;

function parseReason(text: string): string {
  const reason = text.trim();
  if (reason !== '' && reason.length <= REASON_LIMIT) return reason;
  throw new InvalidArgumentError(`A reason has between 1 and ${REASON_LIMIT} characters.`);
}

function parseId(text: string): string {
  if (z.uuid().safeParse(text).success) return text;
  throw new InvalidArgumentError('It is a UUID, as `legal-hold list` prints it.');
}

const LISTING: Listing<LegalHold> = {
  name: ({ id }) => `legal-hold/${id}`,
  columns: [
    { header: 'ID', value: ({ id }) => id },
    { header: 'CUSTOMER', value: ({ customer }) => customer },
    {
      header: 'REPOSITORY',
      value: ({ forge, repository }) => (repository === null ? 'all' : `${forge}/${repository}`),
    },
    { header: 'ISSUE', value: ({ issueNumber: issue }) => issue ?? 'all' },
    { header: 'REASON', value: ({ reason }) => reason },
    { header: 'CREATED', value: ({ createdAt }) => createdAt, wide: true },
  ],
};
