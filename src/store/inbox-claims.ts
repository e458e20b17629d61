import { sql } from 'slonik';
import { z } from 'zod';
import { phaseRunName } from '../domain/slot.ts';
import type { Connection } from './database.ts';
import { executionsOf, inSlot } from './executions-table.ts';
import type { InboxContent, InboxStore } from './inbox.ts';
import { findPayload } from './payloads.ts';

const claimedRow = z
  .object({
    storeId: z.string(),
    runId: z.string(),
    customerId: z.string(),
    slot: z.string(),
    order: z.number(),
    sha256: z.string(),
    sizeBytes: z.number(),
    namespace: z.string().nullable(),
    phaseRunName: z.string().nullable(),
    content: z.string(),
    attempt: z.number(),
  })
  .transform(({ content, sha256, sizeBytes, namespace, phaseRunName, ...row }): ClaimedInboxRun => {
    // Written by `putInboxRun`, of whichever version.
    const { request, orderBelow, isRunSeen, apiKeyId, traceparent } = JSON.parse(content) as InboxContent;
    return {
      ...row,
      digest: { sha256, sizeBytes },
      namespace: namespace ?? undefined,
      phaseRunName: phaseRunName ?? undefined,
      request,
      orderBelow,
      isRunSeen,
      apiKeyId,
      traceparent,
    };
  });

/** A store that the caller alone is to publish, until its lease ends. */
export interface ClaimedInboxRun extends InboxStore {
  readonly slot: string;
  /** Which attempt this is, counted from 1. */
  readonly attempt: number;
}

/** Most stores of one slot that are taken at once. */
const OF_ONE_SLOT = 64;

/**
 * Takes the first stores of slots whose turn it is, those that wait longest first, each slot's in order. Whoever dies leaves
 * leases that end: they are published again, which ends in the same runs.
 */
export async function claimInboxRuns(
  connection: Connection,
  { slots, leaseSeconds }: { readonly slots: number; readonly leaseSeconds: number },
): Promise<readonly (readonly ClaimedInboxRun[])[]> {
  // Of two at once the second waits for the first one's rows, and then finds that they are not due.
  const claimed = await connection.any(sql.prepared('claim_inbox_runs', claimedRow)`
    WITH first AS MATERIALIZED (
      SELECT DISTINCT ON (customer_id, slot) customer_id, slot, next_attempt_at, created_at FROM inbox_runs
      ORDER BY customer_id, slot, run_order, store_id
    ), due AS MATERIALIZED (
      SELECT customer_id, slot FROM first WHERE next_attempt_at <= now() ORDER BY created_at LIMIT ${slots}
    ), taken AS MATERIALIZED (
      SELECT waiting.store_id FROM due CROSS JOIN LATERAL (
        SELECT store_id FROM inbox_runs i
        WHERE i.customer_id = due.customer_id AND i.slot = due.slot
        ORDER BY run_order, store_id LIMIT ${OF_ONE_SLOT}
      ) AS waiting
    )
    UPDATE inbox_runs AS inbox
    SET attempts = attempts + 1, next_attempt_at = now() + make_interval(secs => ${leaseSeconds})
    FROM taken
    WHERE inbox.store_id = taken.store_id AND inbox.next_attempt_at <= now()
    RETURNING
      inbox.store_id AS "storeId", run_id AS "runId", customer_id AS "customerId", slot, run_order AS "order",
      encode(sha256, 'hex') AS sha256, size_bytes AS "sizeBytes", phase_run_namespace AS namespace,
      phase_run_name AS "phaseRunName", content, attempts AS attempt
  `);
  const bySlot = Map.groupBy(claimed, ({ customerId, slot }) => `${customerId} ${slot}`);
  return [...bySlot.values()].map((stores) => stores.toSorted(inOrder));
}

function inOrder(a: ClaimedInboxRun, b: ClaimedInboxRun): number {
  return a.order - b.order || (a.storeId < b.storeId ? -1 : 1);
}

/** Gives back what was taken and not tried, so that it is due again at once. */
export async function releaseInboxRuns(
  connection: Connection,
  runs: readonly Pick<ClaimedInboxRun, 'storeId'>[],
): Promise<void> {
  const ids = sql.array(
    runs.map(({ storeId }) => storeId),
    'uuid',
  );
  // Over customers: these are the caller's own claims.
  await connection.query(sql.prepared('release_inbox_runs', z.object({}))`
    UPDATE inbox_runs SET attempts = attempts - 1, next_attempt_at = now() WHERE store_id = ANY(${ids})
  `);
}

/** Whether a claim would find anything. */
export async function hasDueInboxRuns(connection: Connection): Promise<boolean> {
  const { isDue } = await connection.one(sql.prepared('has_due_inbox_runs', z.object({ isDue: z.boolean() }))`
    SELECT EXISTS (SELECT FROM inbox_runs WHERE next_attempt_at <= now()) AS "isDue"
  `);
  return isDue;
}

/** Whether the run that a store is to move forward is a row of its customer, phase and slot. */
export async function isRunOfSlot(
  connection: Connection,
  { runId, customerId, request }: ClaimedInboxRun,
): Promise<boolean> {
  const { phase, repository } = request;
  const { forge, namespace, name } = repository;
  const variant = phase === 'scan' && request.commitSha === undefined ? 'scan_by_issue' : phase;
  const { isThere } = await connection.one(sql.prepared(
    `is_run_of_slot.${variant}`,
    z.object({ isThere: z.boolean() }),
  )`
    SELECT EXISTS (
      SELECT FROM ${executionsOf(phase)} e JOIN repositories r ON r.id = e.repository_id
      WHERE e.id = ${runId} AND e.customer_id = ${customerId} AND ${inSlot(request)}
        AND r.forge_type = ${forge} AND r.namespace = ${namespace} AND r.name = ${name}
    ) AS "isThere"
  `);
  return isThere;
}

/**
 * Takes a store out of the inbox: its PhaseRun is written. Its payload is needed until that is archived, and whoever sweeps may not
 * have seen the PhaseRun yet, so it counts as touched.
 */
export async function deletePublishedRun(
  connection: Connection,
  { customerId, storeId, digest }: ClaimedInboxRun,
): Promise<void> {
  await connection.query(sql.prepared('delete_published_run', z.object({}))`
    WITH touched AS (
      UPDATE payloads SET touched_at = now()
      WHERE customer_id = ${customerId} AND sha256 = decode(${digest.sha256}, 'hex')
    )
    DELETE FROM inbox_runs WHERE store_id = ${storeId} AND customer_id = ${customerId}
  `);
}

/** Notes why a store could not be published, and when it is due again. */
export async function postponeInboxRun(
  connection: Connection,
  { customerId, storeId }: ClaimedInboxRun,
  { error, retryInSeconds }: { readonly error: string; readonly retryInSeconds: number },
): Promise<void> {
  await connection.query(sql.prepared('postpone_inbox_run', z.object({}))`
    UPDATE inbox_runs
    SET next_attempt_at = now() + make_interval(secs => ${retryInSeconds}), last_error = ${storable(error)}
    WHERE store_id = ${storeId} AND customer_id = ${customerId}
  `);
}

/** Keeps what Kubernetes refused for its content whole where an operator finds it, and takes it out of the inbox. */
export async function quarantineInboxRun(
  connection: Connection,
  run: ClaimedInboxRun,
  { namespace, message }: { readonly namespace: string; readonly message: string },
): Promise<void> {
  const { storeId, runId, customerId, slot, request, digest } = run;
  const data = await findPayload(connection, { customerId, runId, sha256: digest.sha256 });
  const content = { ...run, request: { ...request, data: data ?? request.data } };
  const name = run.phaseRunName ?? phaseRunName(slot, run.order);
  const reason = storable(message);
  await connection.query(sql.prepared('quarantine_inbox_run', z.object({}))`
    WITH refused AS (
      DELETE FROM inbox_runs WHERE store_id = ${storeId} AND customer_id = ${customerId}
      RETURNING store_id
    ), quarantined AS (
      INSERT INTO quarantined_runs (
        run_id, customer_id, phase, slot, phase_run_namespace, phase_run_name, sqlstate, message, sha256, content
      )
      SELECT
        store_id, ${customerId}::uuid, ${request.phase}::text, ${slot}::text, ${namespace}::text,
        ${name}::text, '', ${reason}::text, decode(${digest.sha256}, 'hex'),
        ${sql.binary(Buffer.from(JSON.stringify(content)))}::bytea
      FROM refused
      ON CONFLICT (run_id) DO NOTHING
    )
    INSERT INTO audit_events (customer_id, event_type, metadata)
    SELECT ${customerId}::uuid, 'phaserun.quarantined', jsonb_build_object(
      'runId', store_id, 'phaseRun', ${`${namespace}/${name}`}::text, 'sqlstate', '', 'message', ${reason}::text
    )
    FROM refused
  `);
}

/** How much waits in the inbox, and for how long. */
export function measureInbox(
  connection: Connection,
): Promise<{ readonly runs: number; readonly bytes: number; readonly oldestAgeSeconds: number }> {
  const measured = z.object({ runs: z.number(), bytes: z.number(), oldestAgeSeconds: z.number() });
  return connection.one(sql.prepared('measure_inbox', measured)`
    SELECT count(*) AS runs, coalesce(sum(size_bytes), 0)::bigint AS bytes,
      coalesce(extract(epoch FROM now() - min(created_at)), 0)::double precision AS "oldestAgeSeconds"
    FROM inbox_runs
  `);
}

/** What Postgres's text cannot hold, made visible. */
function storable(text: string): string {
  return text.toWellFormed().replaceAll('\0', '\uFFFD');
}
