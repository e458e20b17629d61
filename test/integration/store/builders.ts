import { randomUUID } from 'node:crypto';
import { deriveResult } from '../../../src/domain/derive.ts';
import { digestOf } from '../../../src/domain/digest.ts';
import type { ArchivableRun, JsonObject, RepositoryName } from '../../../src/domain/run.ts';
import { slotOf } from '../../../src/domain/slot.ts';
import { createCustomer } from '../../../src/store/customers.ts';
import { type Connection, createDatabase, type Database } from '../../../src/store/database.ts';
import { addForgeAccount, verifyForgeAccount } from '../../../src/store/forge-accounts.ts';

export const silent = { info: () => undefined, warn: () => undefined };

export function openDatabase(url: string | undefined, poolMax = 10): Promise<Database> {
  return createDatabase({ url, poolMax, applicationName: 'store-test', logger: silent });
}

/** A customer with a verified GitHub account. */
export async function makeCustomer(pool: Connection, namespace = `acme-${randomUUID()}`) {
  const { id } = await createCustomer(pool, `customer-${randomUUID()}`);
  await addForgeAccount(pool, id, { forge: 'github', namespace });
  await verifyForgeAccount(pool, id, { forge: 'github', namespace });
  return { customerId: id, namespace };
}

export function repository(name = 'nodegoat', namespace = 'acme'): RepositoryName {
  return { forge: 'github', namespace, name, fullPath: `${namespace}/${name}` };
}

type RunOptions = Partial<Omit<ArchivableRun, 'data'>> & {
  readonly customerId: string;
  readonly data?: JsonObject;
  /** Leaves the payload out, as when it lies in Postgres already. */
  readonly byReference?: boolean;
};

/** A completed validation of issue 1204, but for what is said otherwise. */
export function makeRun({
  data = { validated: true },
  byReference = false,
  ...options
}: RunOptions): ArchivableRun {
  const phase = options.phase ?? 'validation';
  const subject = {
    phase,
    repository: options.repository ?? repository(),
    ...(phase === 'scan' ? {} : { issueNumber: 1204 }),
    commitSha: '7776c71',
    ...options,
  };
  const { sha256, sizeBytes } = digestOf(data);
  return {
    runId: randomUUID(),
    status: 'completed',
    phaseRun: { namespace: 'acme', name: `run-${randomUUID()}` },
    ...subject,
    slot: slotOf(subject),
    sha256,
    sizeBytes,
    derived: deriveResult(phase, data),
    ...(byReference ? {} : { data }),
  };
}
