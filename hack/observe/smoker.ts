import type { DevFile } from '../../src/cli/dev-file.ts';
import { createApiKey, revokeApiKey } from '../../src/store/api-keys.ts';
import { createCustomer, findCustomerByName } from '../../src/store/customers.ts';
import { type Connection, createDatabase } from '../../src/store/database.ts';
import { addForgeAccount, listForgeAccounts, verifyForgeAccount } from '../../src/store/forge-accounts.ts';

/** Who stores the samples, and for which issue. */
export interface Smoker {
  readonly apiKey: string;
  /** One that nobody had before: what repeats its neighbour is no run of its own. */
  readonly issueNumber: number;
}

const CUSTOMER = 'smoke';
const ACCOUNT = { forge: 'github', namespace: 'smoke' } as const;

/** Where the samples are stored: nobody else stores there. */
export const REPO = `${ACCOUNT.namespace}/nodegoat-vulnerability-demo`;

/** Makes sure of the customer, does the work with a key of its own, and revokes it. */
export async function withSmoker<T>(dev: DevFile, work: (smoker: Smoker) => Promise<T>): Promise<T> {
  const database = await createDatabase({
    url: dev.databaseUrl,
    poolMax: 1,
    applicationName: 'phaserun-smoke',
    logger: { info: () => undefined, warn: () => undefined },
  });
  const { pool } = database;
  try {
    const customerId = await ensureCustomer(pool);
    const key = await createApiKey(pool, { customerId, name: 'smoke', scopes: ['phases:write'] });
    try {
      return await work({
        apiKey: key.apiKey,
        issueNumber: Math.trunc(Date.now() / 1000),
      });
    } finally {
      await revokeApiKey(pool, customerId, key.id);
    }
  } finally {
    await database.close();
  }
}

async function ensureCustomer(pool: Connection): Promise<string> {
  const { id } = (await findCustomerByName(pool, CUSTOMER)) ?? (await createCustomer(pool, CUSTOMER));
  if ((await listForgeAccounts(pool, id)).length === 0) {
    await addForgeAccount(pool, id, ACCOUNT);
    await verifyForgeAccount(pool, id, ACCOUNT);
  }
  return id;
}
