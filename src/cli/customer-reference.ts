import { Option } from 'commander';
import { z } from 'zod';
import { type Customer, findCustomer, findCustomerByName } from '../store/customers.ts';
import type { Connection } from '../store/database.ts';
import { CommandFailure } from './failure.ts';

const uuid = z.uuid();

/** `--customer`, by name or id; commands read it as `customer`. */
export function customerOption(): Option {
  return new Option('--customer <name|id>', 'whose it is').makeOptionMandatory();
}

/** The customer of this id, else of this name. @throws {CommandFailure} when there is neither. */
export async function requireCustomer(connection: Connection, reference: string): Promise<Customer> {
  const byId = uuid.safeParse(reference).success ? await findCustomer(connection, reference) : null;
  const customer = byId ?? (await findCustomerByName(connection, reference));
  if (customer !== null) return customer;
  throw new CommandFailure(`there is no customer ${JSON.stringify(reference)}`, {
    advice: 'List them with: phaserun admin customer list',
  });
}
