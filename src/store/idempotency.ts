import { type FragmentSqlToken, sql } from 'slonik';
import { z } from 'zod';
import type { Connection } from './database.ts';

/** Which key of whom: rows of one are never seen by way of another. */
export interface IdempotencyScope {
  readonly customerId: string;
  /** Hex SHA-256 of principal, method, route and key. */
  readonly sha256: string;
}

/** An answer that is kept; never one of 401, 403, 429 or 5xx. */
export const keptAnswer = z.object({
  status: z.number(),
  headers: z.record(z.string(), z.string()),
  /** To the byte; null for none. */
  body: z.string().nullable(),
});
export type KeptAnswer = z.infer<typeof keptAnswer>;

/** The request that was made with a key, and what it was answered. */
export interface IdempotencyRecord {
  /** Hex SHA-256 of the request. */
  readonly fingerprint: string;
  readonly answer: KeptAnswer;
}

/**
 * Takes the key for the rest of the transaction, without waiting.
 * @returns whether it was free
 */
export async function tryLockIdempotencyKey(
  transaction: Connection,
  { customerId, sha256 }: IdempotencyScope,
): Promise<boolean> {
  const locked = z.object({ locked: z.boolean() });
  const row = await transaction.one(sql.prepared('try_lock_idempotency_key', locked)`
    SELECT pg_try_advisory_xact_lock(hashtextextended(${`idempotency/${customerId}/${sha256}`}, 0)) AS locked
  `);
  return row.locked;
}

const record = z
  .object({ fingerprint: z.string(), ...keptAnswer.shape })
  .transform(({ fingerprint, ...answer }): IdempotencyRecord => ({ fingerprint, answer }));

/** What was answered under this key; null when nothing was, or it has expired. */
export function findIdempotencyRecord(
  connection: Connection,
  scope: IdempotencyScope,
): Promise<IdempotencyRecord | null> {
  return connection.maybeOne(sql.prepared('find_idempotency_record', record)`
    SELECT encode(fingerprint_sha256, 'hex') AS fingerprint, status, headers, body
    FROM idempotency_keys
    WHERE ${isOf(scope)} AND status IS NOT NULL AND expires_at > now()
  `);
}

/** Keeps an answer in the place of what was kept before; call it in the transaction of the effect. */
export async function putIdempotencyRecord(
  transaction: Connection,
  { customerId, sha256 }: IdempotencyScope,
  { fingerprint, answer, ttlSeconds }: IdempotencyRecord & { readonly ttlSeconds: number },
): Promise<void> {
  await transaction.query(sql.prepared('put_idempotency_record', z.object({}))`
    INSERT INTO idempotency_keys (
      customer_id, scope_sha256, fingerprint_sha256, status, headers, body, expires_at
    )
    VALUES (
      ${customerId}, decode(${sha256}, 'hex'), decode(${fingerprint}, 'hex'),
      ${answer.status}, ${JSON.stringify(answer.headers)}::jsonb, ${answer.body},
      now() + make_interval(secs => ${ttlSeconds})
    )
    ON CONFLICT (customer_id, scope_sha256) DO UPDATE SET
      fingerprint_sha256 = EXCLUDED.fingerprint_sha256, status = EXCLUDED.status, headers = EXCLUDED.headers,
      body = EXCLUDED.body, claimed_until = NULL, expires_at = EXCLUDED.expires_at
  `);
}

/**
 * Deletes records that have expired, the oldest first.
 * @returns how many; as many as `limit` means that there may be more
 */
export async function deleteExpiredIdempotencyRecords(
  connection: Connection,
  { limit }: { readonly limit: number },
): Promise<number> {
  const { rowCount } = await connection.query(
    sql.prepared('delete_expired_idempotency_records', z.object({}))`
    DELETE FROM idempotency_keys
    WHERE (customer_id, scope_sha256) IN (
      SELECT customer_id, scope_sha256 FROM idempotency_keys
      WHERE expires_at <= now()
      ORDER BY expires_at
      LIMIT ${limit}
      FOR UPDATE SKIP LOCKED
    )
  `,
  );
  return rowCount;
}

/** Condition on one row of idempotency_keys. */
export function isOf({ customerId, sha256 }: IdempotencyScope): FragmentSqlToken {
  return sql.fragment`customer_id = ${customerId} AND scope_sha256 = decode(${sha256}, 'hex')`;
}
