import type { Connection } from '../store/database.ts';
import { SCOPES } from '../store/principal.ts';
import { ensureTenant } from './tenant.ts';
import { ensureHeldKey } from './tenant-key.ts';

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
export async function ensureDevTenant(
  connection: Connection,
  name: string,
  knownKey?: string,
): Promise<DevTenant> {
  const { customer } = await ensureTenant(connection, name, [{ forge: 'github', namespace: name }]);
  let apiKey = knownKey ?? '';
  await ensureHeldKey(
    connection,
    customer.value,
    { name: 'dev', scopes: SCOPES },
    {
      read: () => Promise.resolve(knownKey),
      write: (key) => {
        apiKey = key;
        return Promise.resolve();
      },
    },
  );
  return { customerId: customer.value.id, forgeNamespace: name, apiKey };
}
