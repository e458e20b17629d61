import { makeApiKey, parseApiKey } from '../store/api-key.ts';
import { type ApiKeyOptions, type ApiKeyRow, listApiKeys, type NewApiKey } from '../store/api-keys.ts';
import { type Customer, lockTenant } from '../store/customers.ts';
import type { Connection } from '../store/database.ts';
import { findPrincipal } from '../store/find-principal.ts';
import type { Scope } from '../store/principal.ts';
import { createKeyAudited, revokeKeyAudited } from './audited-changes.ts';
import type { Ensured } from './ensured.ts';
import { CommandFailure } from './failure.ts';

/** What a key is to be like. */
export type KeyDraft = Pick<ApiKeyOptions, 'name' | 'scopes'>;

/** Where the only copy of a key is kept. */
export interface KeyHolder {
  read(): Promise<string | undefined>;
  /** Keeps this key in place of the one that was read. */
  write(apiKey: string): Promise<void>;
}

/**
 * Makes sure that the holder has a key of the customer that is good for exactly these scopes. One that is good for others
 * is replaced and revoked.
 *
 * The holder has a new key before it is good. A crash between leaves a key in it that nobody knows, which the next call
 * replaces, and never a good key that nobody has. The whole runs under a lock, and again from the start when the transaction
 * is retried: it then finds what it left in the holder.
 * @throws DatabaseError whose cause is what the holder threw, or a {@link CommandFailure} when the key is another customer's
 */
export function ensureHeldKey(
  connection: Connection,
  customer: Customer,
  draft: KeyDraft,
  holder: KeyHolder,
): Promise<Ensured<ApiKeyRow>> {
  return connection.transaction(async (transaction) => {
    await lockTenant(transaction, customer.name);
    const apiKey = await holder.read();
    const held = apiKey === undefined ? undefined : await findGoodKey(transaction, customer, apiKey);
    if (apiKey !== undefined && held && hasScopes(held, draft.scopes)) {
      await holder.write(apiKey);
      return { value: held, change: 'unchanged' };
    }
    const made = makeApiKey();
    await holder.write(made.apiKey);
    const key = await createKeyAudited(transaction, { customerId: customer.id, ...draft }, made);
    if (held) await revokeKeyAudited(transaction, customer.id, held.id);
    return { value: withoutSecret(key), change: apiKey === undefined ? 'created' : 'changed' };
  });
}

/** Makes sure of a good key of this name and these scopes; only one that was made now comes with the key itself. */
export function ensureNamedKey(
  connection: Connection,
  customer: Customer,
  draft: KeyDraft,
): Promise<Ensured<ApiKeyRow | NewApiKey>> {
  return connection.transaction(async (transaction) => {
    await lockTenant(transaction, customer.name);
    const keys = await listApiKeys(transaction, customer.id);
    const known = keys.find(
      (key) => key.name === draft.name && hasScopes(key, draft.scopes) && isKeyGood(key),
    );
    if (known) return { value: known, change: 'unchanged' };
    const key = await createKeyAudited(transaction, { customerId: customer.id, ...draft });
    return { value: key, change: 'created' };
  });
}

async function findGoodKey(
  transaction: Connection,
  customer: Customer,
  apiKey: string,
): Promise<ApiKeyRow | undefined> {
  const credentials = parseApiKey(apiKey);
  if (credentials === undefined) return undefined;
  const principal = await findPrincipal(transaction, credentials);
  if (!principal.known) return undefined;
  if (principal.customerId !== customer.id)
    throw new CommandFailure(`the key that is there belongs to customer ${principal.customerId}`, {
      advice: 'Name another Secret, or delete this one if nobody needs it.',
    });
  const keys = await listApiKeys(transaction, customer.id);
  return keys.find(({ id }) => id === credentials.keyId);
}

function hasScopes({ scopes }: ApiKeyRow, wanted: readonly Scope[]): boolean {
  return scopes.length === wanted.length && wanted.every((scope) => scopes.includes(scope));
}

function isKeyGood({ revokedAt, expiresAt }: ApiKeyRow): boolean {
  return revokedAt === null && (expiresAt === null || Date.parse(expiresAt) > Date.now());
}

function withoutSecret({ apiKey: _, ...row }: NewApiKey): ApiKeyRow {
  return row;
}
