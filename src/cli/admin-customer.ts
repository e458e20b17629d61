import { Command } from 'commander';
import { type Customer, listCustomers } from '../store/customers.ts';
import { DatabaseError } from '../store/errors.ts';
import { helpFooter, parseName, shellWord } from './arguments.ts';
import { createCustomerAudited } from './audited-changes.ts';
import { requireCustomer } from './customer-reference.ts';
import { CommandFailure } from './failure.ts';
import { type Listing, note, type OutputFormat, outputOption, print, render } from './output.ts';
import { DATABASE_ENVIRONMENT, withDatabase } from './with-database.ts';

interface Options {
  readonly output: OutputFormat;
}

/** `admin customer`: the tenants. */
export function adminCustomerCommand(): Command {
  return new Command('customer')
    .summary('create and list customers')
    .description('Customers are the tenants: each sees its own results and nothing else.')
    .addCommand(
      subcommand('create', 'Creates a customer.', 'phaserun admin customer create acme')
        .argument('<name>', 'unique; letters count as they are', parseName)
        .action(create),
    )
    .addCommand(
      subcommand('list', 'Lists all customers, by name.', 'phaserun admin customer list -o json').action(
        list,
      ),
    )
    .addCommand(
      subcommand('get', 'Shows one customer.', 'phaserun admin customer get acme -o json | jq -r .id')
        .argument('<name|id>', 'which one')
        .action(get),
    );
}

function subcommand(name: string, description: string, example: string): Command {
  const footer = helpFooter({ examples: [example], environment: DATABASE_ENVIRONMENT });
  return new Command(name).description(description).addOption(outputOption()).addHelpText('after', footer);
}

async function create(name: string, { output }: Options): Promise<void> {
  const customer = await withDatabase((connection) => createCustomerAudited(connection, name)).catch(
    (error: unknown) => {
      if (!(error instanceof DatabaseError) || error.kind !== 'conflict') throw error;
      throw new CommandFailure(`there is a customer ${JSON.stringify(name)} already`, {
        advice: `See it with: phaserun admin customer get ${shellWord(name)}`,
      });
    },
  );
  print(render(output, LISTING, [customer], customer));
}

async function list({ output }: Options): Promise<void> {
  const customers = await withDatabase(listCustomers);
  if (customers.length === 0)
    note('There are no customers yet. Create one with: phaserun admin customer create <name>');
  print(render(output, LISTING, customers));
}

async function get(reference: string, { output }: Options): Promise<void> {
  const customer = await withDatabase((connection) => requireCustomer(connection, reference));
  print(render(output, LISTING, [customer], customer));
}

const LISTING: Listing<Customer> = {
  name: ({ name }) => `customer/${name}`,
  columns: [
    { header: 'NAME', value: ({ name }) => name },
    { header: 'ID', value: ({ id }) => id },
    { header: 'CREATED', value: ({ createdAt }) => createdAt, wide: true },
  ],
};
