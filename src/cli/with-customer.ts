import type { Connection } from '../store/database.ts';
import { requireCustomer } from './customer-reference.ts';
import { withDatabase } from './with-database.ts';

/** Runs the work for a customer, by name or id, on a connection of its own. @throws {CommandFailure} when there is none */
export function withCustomer<T>(
  reference: string,
  work: (connection: Connection, customerId: string) => Promise<T>,
): Promise<T> {
  return withDatabase(async (connection) =>
    work(connection, (await requireCustomer(connection, reference)).id),
  );
}
