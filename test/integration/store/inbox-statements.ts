import type { Client } from 'pg';
import type { Connection } from '../../../src/store/database.ts';
import {
  claimInboxRuns,
  deletePublishedRun,
  hasDueInboxRuns,
  isRunOfSlot,
  measureInbox,
  postponeInboxRun,
  quarantineInboxRun,
  releaseInboxRuns,
} from '../../../src/store/inbox-claims.ts';
import { keepInbox } from './inbox-rows.ts';

/** Calls every function of the store that the inbox calls. */
export async function callInboxStatements(pool: Connection, customerId: string): Promise<void> {
  await keepInbox(pool, { customerId });
  await keepInbox(pool, { customerId, request: { phase: 'mitigation', issueNumber: 7 } });
  await keepInbox(pool, { customerId, request: { phase: 'scan' } });
  await hasDueInboxRuns(pool);
  const [first, second] = (await claimInboxRuns(pool, { slots: 10, leaseSeconds: 30 })).flat();
  if (first === undefined || second === undefined) throw new Error('nothing was claimed');
  const { commitSha: _, ...byIssue } = first.request;
  for (const phase of ['scan', 'validation', 'mitigation'] as const)
    await isRunOfSlot(pool, { ...first, request: { ...first.request, phase } });
  await isRunOfSlot(pool, { ...first, request: { ...byIssue, phase: 'scan' } });
  await postponeInboxRun(pool, first, { error: 'away', retryInSeconds: 1 });
  await deletePublishedRun(pool, first);
  await quarantineInboxRun(pool, second, { namespace: 'acme', message: 'refused' });
  await releaseInboxRuns(pool, [first]);
  await measureInbox(pool);
}

/** Nearly as much as the inbox holds, none of it due. */
export async function fillInbox(client: Client): Promise<void> {
  await client.query(`
    INSERT INTO inbox_runs (
      store_id, run_id, customer_id, slot, run_order, phase, status, sha256, size_bytes, content, next_attempt_at
    )
    SELECT md5('store' || n)::uuid, md5('store' || n)::uuid, md5('customer' || n % 100)::uuid, 'slot' || n, n, 'scan',
      'completed', sha256(n::text::bytea), 2, '{}', now() + interval '1 day'
    FROM generate_series(0, 3999) n
  `);
}
