import { sql } from 'slonik';
import { z } from 'zod';
import type { Digest } from '../domain/digest.ts';
import { slotOf } from '../domain/slot.ts';
import type { StoreRequest } from '../domain/store-request.ts';
import type { Connection } from './database.ts';

/** A store that was let in and cannot be written as a PhaseRun yet. */
export interface InboxStore {
  /** Id of this store; that of its run, if it is a run of its own. */
  readonly storeId: string;
  /** The run that it makes, or moves forward. */
  readonly runId: string;
  readonly customerId: string;
  /** Its data is empty where they lie in `payloads`. */
  readonly request: StoreRequest;
  readonly digest: Pick<Digest, 'sha256' | 'sizeBytes'>;
  /** Place in the slot. */
  readonly order: number;
  /** Set for a store that comes late: the places behind {@link order}, up to this one, will do as well. */
  readonly orderBelow?: number | undefined;
  /** Of the customer's runs, or of the PhaseRun to be moved forward; absent: not known. */
  readonly namespace?: string | undefined;
  /** Of the PhaseRun to be moved forward; absent: it is to be looked for. */
  readonly phaseRunName?: string | undefined;
  /** Whether a run that is to be moved forward was seen, and not only named by the caller. */
  readonly isRunSeen: boolean;
  readonly apiKeyId?: string | undefined;
  readonly traceparent: string;
}

/** How much the inbox holds, over all customers and replicas. */
export interface InboxLimits {
  readonly runs: number;
  /** Of payloads. */
  readonly bytes: number;
}

const kept = z.object({ runId: z.string().nullable() });

/**
 * Keeps a store. The same store again changes nothing: what is there stays. Stores at the same moment may exceed the limits
 * by as many as there are.
 * @returns the run that was or will be written; null when the inbox is full
 */
export async function putInboxRun(
  connection: Connection,
  store: InboxStore,
  limits: InboxLimits,
): Promise<{ readonly runId: string } | null> {
  const { storeId, runId, customerId, request, digest } = store;
  const { phase, status, commitSha, branch, pipelineRunId } = request;
  const row = await connection.one(sql.prepared('put_inbox_run', kept)`
    WITH held AS (
      SELECT count(*) AS runs, coalesce(sum(size_bytes), 0) AS bytes FROM inbox_runs
    ), inserted AS (
      INSERT INTO inbox_runs (
        store_id, run_id, customer_id, slot, run_order, phase, status, commit_sha, branch, pipeline_run_id,
        sha256, size_bytes, phase_run_namespace, phase_run_name, content
      )
      SELECT
        ${storeId}::uuid, ${runId}::uuid, ${customerId}::uuid, ${slotOf(request)}::text, ${store.order}::bigint,
        ${phase}::text, ${status}::text, ${commitSha ?? null}::text, ${branch ?? null}::text, ${pipelineRunId ?? null}::text,
        decode(${digest.sha256}, 'hex'), ${digest.sizeBytes}::integer, ${store.namespace ?? null}::text,
        ${store.phaseRunName ?? null}::text, ${JSON.stringify(contentOf(store))}::text
      FROM held
      WHERE (runs < ${limits.runs} AND bytes + ${digest.sizeBytes}::bigint <= ${limits.bytes})
        OR EXISTS (SELECT FROM inbox_runs WHERE store_id = ${storeId}::uuid)
      ON CONFLICT (store_id) DO UPDATE SET store_id = inbox_runs.store_id
      RETURNING run_id
    )
    SELECT (SELECT run_id FROM inserted) AS "runId"
  `);
  return row.runId === null ? null : { runId: row.runId };
}

/** What of a store has no column of its own. */
export type InboxContent = Pick<
  InboxStore,
  'request' | 'orderBelow' | 'isRunSeen' | 'apiKeyId' | 'traceparent'
>;

function contentOf({ request, orderBelow, isRunSeen, apiKeyId, traceparent }: InboxStore): InboxContent {
  return { request, orderBelow, isRunSeen, apiKeyId, traceparent };
}
