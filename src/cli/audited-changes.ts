import { compact } from '../domain/compact.ts';
import {
  type ApiKeyOptions,
  type ApiKeyRow,
  createApiKey,
  type NewApiKey,
  revokeApiKey,
} from '../store/api-keys.ts';
import { type Customer, createCustomer } from '../store/customers.ts';
import type { Connection } from '../store/database.ts';
import type { ForgeNamespace } from '../store/forge-accounts.ts';
import { changeAudited } from './audited.ts';

/** @throws DatabaseError of kind `conflict` when the name is taken */
export function createCustomerAudited(connection: Connection, name: string): Promise<Customer> {
  return changeAudited(
    connection,
    (transaction) => createCustomer(transaction, name),
    ({ id }) => ({ customerId: id, eventType: 'customer.created', metadata: { name } }),
  );
}

/** @param made what the key is to be; default: a new one */
export function createKeyAudited(
  connection: Connection,
  options: ApiKeyOptions,
  made?: Parameters<typeof createApiKey>[2],
): Promise<NewApiKey> {
  const { customerId, name, scopes, expiresAt } = options;
  return changeAudited(
    connection,
    (transaction) => createApiKey(transaction, options, made),
    ({ id }) => ({
      customerId,
      eventType: 'api_key.created',
      metadata: { keyId: id, name, scopes, ...compact({ expiresAt }) },
    }),
  );
}

/** Null when the customer has no such key. */
export function revokeKeyAudited(
  connection: Connection,
  customerId: string,
  keyId: string,
): Promise<ApiKeyRow | null> {
  return changeAudited(
    connection,
    (transaction) => revokeApiKey(transaction, customerId, keyId),
    (revoked) =>
      revoked === null ? undefined : { customerId, eventType: 'api_key.revoked', metadata: { keyId } },
  );
}

/** A forge account, and who is pinned as its owner. */
export type AccountDraft = ForgeNamespace & { readonly ownerId?: string };

/** @param change answers null or false where there is nothing to change */
export function changeAccountAudited<T>(
  connection: Connection,
  verb: 'added' | 'removed' | 'verified',
  customerId: string,
  account: AccountDraft,
  change: (transaction: Connection, customerId: string, account: AccountDraft) => Promise<T>,
): Promise<T> {
  const { forge, namespace, ownerId } = account;
  return changeAudited(
    connection,
    (transaction) => change(transaction, customerId, account),
    (changed) =>
      changed === null || changed === false
        ? undefined
        : {
            customerId,
            eventType: `forge_account.${verb}`,
            metadata: { forge, namespace, ...compact({ ownerId }) },
          },
  );
}
