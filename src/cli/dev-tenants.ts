import { parseApiKey } from '../store/api-key.ts';
import { createApiKey, listApiKeys } from '../store/api-keys.ts';
import { createCustomer, findCustomerByName } from '../store/customers.ts';
import type { Connection } from '../store/database.ts';
import { addForgeAccount, listForgeAccounts, verifyForgeAccount } from '../store/forge-accounts.ts';
import { SCOPES } from '../store/principal.ts';

/** A customer to try things with. */
export interface DevTenant {
  readonly customerId: string;
  readonly apiKey: string;
  /** The GitHub namespace that the customer owns, and so the owner in `repo`. */
  readonly forgeNamespace: string;
}

/**
 * Makes sure of a customer of this name with a verified GitHub account of the same name and a key of all scopes.
 * @param knownKey what was handed out before; kept while it is good, since no key can be shown a second time
 */
export async function ensureTenant(
  connection: Connection,
  name: string,
  knownKey?: string,
): Promise<DevTenant> {
  const customer = (await findCustomerByName(connection, name)) ?? (await createCustomer(connection, name));
  const account = { forge: 'github', namespace: name } as const;
  const accounts = await listForgeAccounts(connection, customer.id);
  if (!accounts.some(({ namespace, verifiedAt }) => namespace === name && verifiedAt !== null)) {
    if (!accounts.some(({ namespace }) => namespace === name))
      await addForgeAccount(connection, customer.id, account);
    await verifyForgeAccount(connection, customer.id, account);
  }
  const apiKey = (await isGood(connection, customer.id, knownKey)) ? knownKey : undefined;
  return {
    customerId: customer.id,
    forgeNamespace: name,
    apiKey: apiKey ?? (await makeKey(connection, customer.id)),
  };
}

async function isGood(
  connection: Connection,
  customerId: string,
  apiKey: string | undefined,
): Promise<boolean> {
  const keyId = parseApiKey(apiKey ?? '')?.keyId;
  const keys = await listApiKeys(connection, customerId);
  return keys.some((key) => key.id === keyId && key.revokedAt === null);
}

async function makeKey(connection: Connection, customerId: string): Promise<string> {
  const { apiKey } = await createApiKey(connection, { customerId, name: 'dev', scopes: SCOPES });
  return apiKey;
}
