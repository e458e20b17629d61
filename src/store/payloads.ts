import { sql } from 'slonik';
import { z } from 'zod';
import type { Digest } from '../domain/digest.ts';
import type { Phase } from '../domain/phase.ts';
import { READING_VERSION, type RunReading, readResult, runReading } from '../domain/reading.ts';
import type { JsonObject } from '../domain/run.ts';
import type { Connection } from './database.ts';

/** A payload too large for a PhaseRun, which refers to it by digest. */
export interface Payload {
  readonly customerId: string;
  /** Of the run that brings it. */
  readonly phase: Phase;
  readonly data: JsonObject;
  readonly digest: Digest;
}

const storedPayload = z.object({ data: z.record(z.string(), z.unknown()) });

/** Keeps a payload with what its run takes from it; one that is there already is touched, and so kept for longer. */
export async function putPayload(connection: Connection, payload: Payload): Promise<void> {
  const { customerId, phase, data, digest } = payload;
  const { sha256, canonical, sizeBytes } = digest;
  const readings = JSON.stringify({ [readingKey(phase)]: readResult(phase, data) });
  await connection.query(sql.prepared('put_payload', z.object({}))`
    INSERT INTO payloads (customer_id, sha256, data, size_bytes, readings)
    VALUES (${customerId}, decode(${sha256}, 'hex'), ${canonical}::jsonb, ${sizeBytes}, ${readings}::jsonb)
    ON CONFLICT (customer_id, sha256) DO UPDATE
    SET touched_at = now(), readings = payloads.readings || excluded.readings
  `);
}

/** The payload that is kept apart under a digest, for a customer. */
export async function findStoredPayload(
  connection: Connection,
  { customerId, sha256 }: Pick<PayloadReference, 'customerId' | 'sha256'>,
): Promise<JsonObject | undefined> {
  const row = await connection.maybeOne(sql.prepared('find_stored_payload', storedPayload)`
    SELECT data FROM payloads WHERE customer_id = ${customerId} AND sha256 = decode(${sha256}, 'hex')
  `);
  return row?.data;
}

/** The payload that a run refers to: kept apart, or in the row that the run has or stands for, which outlives it. */
export async function findPayload(
  connection: Connection,
  { customerId, runId, sha256 }: PayloadReference,
): Promise<JsonObject | undefined> {
  const row = await connection.maybeOne(sql.prepared('find_payload', storedPayload)`
    WITH wanted AS MATERIALIZED (
      SELECT coalesce(
        (SELECT execution_id FROM duplicate_runs WHERE run_id = ${runId} AND customer_id = ${customerId}),
        ${runId}::uuid
      ) AS id
    )
    SELECT data FROM payloads WHERE customer_id = ${customerId} AND sha256 = decode(${sha256}, 'hex')
    UNION ALL
    SELECT data FROM (
      SELECT id, customer_id, sha256, data, data_dropped_at FROM scan_executions
      UNION ALL SELECT id, customer_id, sha256, data, data_dropped_at FROM validation_executions
      UNION ALL SELECT id, customer_id, sha256, data, data_dropped_at FROM mitigation_executions
    ) AS execution
    WHERE id = (SELECT id FROM wanted) AND customer_id = ${customerId} AND sha256 = decode(${sha256}, 'hex')
      AND data_dropped_at IS NULL
    LIMIT 1
  `);
  return row?.data;
}

/**
 * What a run takes from the payload that it refers to, wherever {@link findPayload} finds it: as it was read when it came, else
 * read now.
 */
export async function findReading(
  connection: Connection,
  { phase, ...reference }: PayloadReference & { readonly phase: Phase },
): Promise<RunReading | undefined> {
  const { customerId, sha256 } = reference;
  const row = await connection.maybeOne(sql.prepared('find_reading', z.object({ reading: z.unknown() }))`
    SELECT readings -> ${readingKey(phase)}::text AS reading FROM payloads
    WHERE customer_id = ${customerId} AND sha256 = decode(${sha256}, 'hex')
  `);
  const kept = runReading.safeParse(row?.reading);
  if (kept.success) return kept.data;
  const data = await findPayload(connection, reference);
  return data && readResult(phase, data);
}

/** Versions that run side by side during an upgrade each have their own. */
function readingKey(phase: Phase): string {
  return `${phase}@${READING_VERSION}`;
}

export interface PayloadReference {
  readonly customerId: string;
  readonly runId: string;
  readonly sha256: string;
}

export interface PayloadSweep {
  /** Digests that live objects refer to, of whatever customer. */
  readonly inUse: readonly string[];
  /** Most that are deleted in one go. */
  readonly limit: number;
}

/**
 * Deletes payloads that nobody touched for 24 hours and neither object nor inbox refers to. Rows need them no longer: they keep
 * copies of their own.
 * @returns how many; as many as `limit` means that there may be more
 */
export async function deleteUnusedPayloads(
  connection: Connection,
  { inUse, limit }: PayloadSweep,
): Promise<number> {
  const { rowCount } = await connection.query(sql.prepared('delete_unused_payloads', z.object({}))`
    DELETE FROM payloads
    WHERE (customer_id, sha256) IN (
      SELECT customer_id, sha256 FROM payloads
      WHERE touched_at < now() - interval '24 hours'
        AND encode(sha256, 'hex') <> ALL(${sql.array([...inUse], 'text')})
        AND NOT EXISTS (
          SELECT FROM inbox_runs i WHERE i.customer_id = payloads.customer_id AND i.sha256 = payloads.sha256
        )
      ORDER BY touched_at
      LIMIT ${limit}
      FOR UPDATE SKIP LOCKED
    )
  `);
  return rowCount;
}
