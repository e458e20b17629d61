import { type Customer, findCustomerByName, lockTenant } from '../store/customers.ts';
import type { Connection } from '../store/database.ts';
import {
  addForgeAccount,
  type ForgeAccount,
  listForgeAccounts,
  verifyForgeAccount,
} from '../store/forge-accounts.ts';
import { type AccountDraft, changeAccountAudited, createCustomerAudited } from './audited-changes.ts';
import type { Ensured } from './ensured.ts';

export interface Tenant {
  readonly customer: Ensured<Customer>;
  /** In the order in which they were asked for. */
  readonly forgeAccounts: readonly Ensured<ForgeAccount>[];
}

/**
 * Makes sure of a customer of this name to whom these forge accounts are verified; all of it or nothing. What it has
 * beside them stays.
 * @throws DatabaseError whose cause is a ForgeAccountTakenError when one is another customer's
 */
export function ensureTenant(
  connection: Connection,
  name: string,
  accounts: readonly AccountDraft[],
): Promise<Tenant> {
  return connection.transaction(async (transaction) => {
    await lockTenant(transaction, name);
    const customer = await ensureCustomer(transaction, name);
    const forgeAccounts: Ensured<ForgeAccount>[] = [];
    for (const account of accounts)
      forgeAccounts.push(await ensureForgeAccount(transaction, customer.value.id, account));
    return { customer, forgeAccounts };
  });
}

async function ensureCustomer(transaction: Connection, name: string): Promise<Ensured<Customer>> {
  const known = await findCustomerByName(transaction, name);
  if (known !== null) return { value: known, change: 'unchanged' };
  return { value: await createCustomerAudited(transaction, name), change: 'created' };
}

async function ensureForgeAccount(
  transaction: Connection,
  customerId: string,
  account: AccountDraft,
): Promise<Ensured<ForgeAccount>> {
  const all = await listForgeAccounts(transaction, customerId);
  const known = all.find(
    ({ forge, namespace }) => forge === account.forge && namespace === account.namespace.toLowerCase(),
  );
  const isPinned = account.ownerId === undefined || account.ownerId === known?.ownerId;
  if (known && known.verifiedAt !== null && isPinned) return { value: known, change: 'unchanged' };
  const added =
    known ?? (await changeAccountAudited(transaction, 'added', customerId, account, addForgeAccount));
  const value = await changeAccountAudited(transaction, 'verified', customerId, account, verifyForgeAccount);
  return { value: value ?? added, change: known ? 'changed' : 'created' };
}
