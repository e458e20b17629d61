import { randomUUID } from 'node:crypto';
import { digestOf } from '../../../src/domain/digest.ts';
import type { JsonObject } from '../../../src/domain/run.ts';
import type { StoreRequest } from '../../../src/domain/store-request.ts';
import type { Connection } from '../../../src/store/database.ts';
import { type InboxLimits, type InboxStore, putInboxRun } from '../../../src/store/inbox.ts';
import { drawRunOrder } from '../../../src/store/slots.ts';
import { repository } from './builders.ts';

export const ROOMY: InboxLimits = { runs: 5_000, bytes: 268_435_456 };

type StoreOptions = Partial<Omit<InboxStore, 'request' | 'digest'>> & {
  readonly customerId: string;
  readonly request?: Partial<StoreRequest>;
  readonly data?: JsonObject;
  /** Leaves the payload out, as when it lies in Postgres already. */
  readonly byReference?: boolean;
};

/** A completed validation of issue 1204 that Kubernetes could not take, but for what is said otherwise; it is in the inbox. */
export async function keepInbox(
  pool: Connection,
  { request, data = { validated: true }, byReference = false, ...options }: StoreOptions,
): Promise<InboxStore> {
  const storeId = options.storeId ?? randomUUID();
  const store: InboxStore = {
    storeId,
    runId: storeId,
    digest: digestOf(data),
    order: options.order ?? (await drawRunOrder(pool)),
    isRunSeen: false,
    traceparent: '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01',
    ...options,
    request: {
      phase: 'validation',
      repository: repository(),
      issueNumber: 1204,
      commitSha: '7776c71',
      status: 'completed',
      data: byReference ? {} : data,
      ...request,
    },
  };
  await putInboxRun(pool, store, ROOMY);
  return store;
}
