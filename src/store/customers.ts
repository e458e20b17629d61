import { sql } from 'slonik';
import { z } from 'zod';
import type { Connection } from './database.ts';

const customer = z.object({ id: z.string(), name: z.string(), createdAt: z.string() });
export type Customer = z.infer<typeof customer>;

const columns = sql.fragment`id, name, created_at AS "createdAt"`;

/** @throws DatabaseError of kind `conflict` when the name is taken */
export function createCustomer(connection: Connection, name: string): Promise<Customer> {
  return connection.one(sql.prepared('create_customer', customer)`
    INSERT INTO customers (name) VALUES (${name}) RETURNING ${columns}
  `);
}

/**
 * Waits until nobody else sets up the customer of this name, and keeps it so to the end of the transaction; whether there is
 * one already makes no difference.
 */
export async function lockTenant(transaction: Connection, name: string): Promise<void> {
  await transaction.query(sql.prepared('lock_tenant', z.object({}))`
    SELECT FROM pg_advisory_xact_lock(hashtextextended(${`tenant/${name}`}, 0))
  `);
}

export function findCustomer(connection: Connection, customerId: string): Promise<Customer | null> {
  return connection.maybeOne(sql.prepared('find_customer', customer)`
    SELECT ${columns} FROM customers WHERE id = ${customerId}
  `);
}

export function findCustomerByName(connection: Connection, name: string): Promise<Customer | null> {
  return connection.maybeOne(sql.prepared('find_customer_by_name', customer)`
    SELECT ${columns} FROM customers WHERE name = ${name}
  `);
}

/** All of them, by name. */
export function listCustomers(connection: Connection): Promise<readonly Customer[]> {
  return connection.any(
    sql.prepared('list_customers', customer)`SELECT ${columns} FROM customers ORDER BY name`,
  );
}
