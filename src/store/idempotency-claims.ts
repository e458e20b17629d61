import { sql } from 'slonik';
import { z } from 'zod';
import type { Connection } from './database.ts';
import { type IdempotencyScope, isOf, type KeptAnswer, keptAnswer } from './idempotency.ts';

/** A store that is to be done once. */
export interface ClaimRequest {
  /** Hex SHA-256 of what is stored. */
  readonly fingerprint: string;
  /** What it is stored in; see `slotOf`. */
  readonly slot: string;
  /** Place in the slot that was drawn for this try. */
  readonly order: number;
  /** Id that the run has under this key. */
  readonly runId: string;
  /** How long nobody else may try. */
  readonly leaseSeconds: number;
  /** How long the key is kept. */
  readonly ttlSeconds: number;
}

/**
 * What became of a claim. `claimed`: go on, at this place in the slot, which an earlier try may have drawn; `isStored`: the run
 * is a row already, from a try that could not claim the key.
 * `busy`: another try is under way. `reused`: the key belongs to another request. `kept`: it was answered.
 */
export type Claim =
  | { readonly kind: 'claimed'; readonly order: number; readonly isStored: boolean }
  | { readonly kind: 'busy' | 'reused' }
  | { readonly kind: 'kept'; readonly answer: KeptAnswer };

const claimRow = z.object({
  claimedOrder: z.number().nullable(),
  isStored: z.boolean(),
  found: z.object({ same: z.boolean(), answer: keptAnswer.nullable() }).nullable(),
});

/**
 * Claims a key for a store, whose effect lies outside the database and so cannot commit with the key's row. The row
 * comes first, therefore, and keeps what a later try needs to end in the same PhaseRun.
 */
export async function claimIdempotencyKey(
  connection: Connection,
  scope: IdempotencyScope,
  { fingerprint, slot, order, runId, leaseSeconds, ttlSeconds }: ClaimRequest,
): Promise<Claim> {
  // What a row was before is seen by "found", which reads the state from before the statement.
  const row = await connection.one(sql.prepared('claim_idempotency_key', claimRow)`
    WITH claimed AS (
      INSERT INTO idempotency_keys AS k (
        customer_id, scope_sha256, fingerprint_sha256, slot, run_order, claimed_until, expires_at
      )
      VALUES (
        ${scope.customerId}, decode(${scope.sha256}, 'hex'), decode(${fingerprint}, 'hex'), ${slot}, ${order},
        now() + make_interval(secs => ${leaseSeconds}), now() + make_interval(secs => ${ttlSeconds})
      )
      ON CONFLICT (customer_id, scope_sha256) DO UPDATE SET
        fingerprint_sha256 = EXCLUDED.fingerprint_sha256,
        slot = EXCLUDED.slot,
        run_order = CASE WHEN k.expires_at <= now() THEN EXCLUDED.run_order ELSE k.run_order END,
        status = NULL,
        headers = EXCLUDED.headers,
        body = NULL,
        claimed_until = EXCLUDED.claimed_until,
        expires_at = EXCLUDED.expires_at
      WHERE k.expires_at <= now() OR (
        k.status IS NULL AND k.claimed_until <= now() AND k.fingerprint_sha256 = EXCLUDED.fingerprint_sha256
      )
      RETURNING run_order
    )
    SELECT
      (SELECT run_order FROM claimed) AS "claimedOrder",
      EXISTS (SELECT FROM scan_executions WHERE id = ${runId})
        OR EXISTS (SELECT FROM validation_executions WHERE id = ${runId})
        OR EXISTS (SELECT FROM mitigation_executions WHERE id = ${runId})
        OR EXISTS (SELECT FROM duplicate_runs WHERE run_id = ${runId}) AS "isStored",
      (
        SELECT jsonb_build_object(
          'same', fingerprint_sha256 = decode(${fingerprint}, 'hex'),
          'answer', CASE WHEN status IS NOT NULL
            THEN jsonb_build_object('status', status, 'headers', headers, 'body', body) END
        )
        FROM idempotency_keys WHERE ${isOf(scope)}
      ) AS found
  `);
  return readClaim(row);
}

function readClaim({ claimedOrder, isStored, found }: z.infer<typeof claimRow>): Claim {
  if (claimedOrder !== null) return { kind: 'claimed', order: claimedOrder, isStored };
  // Somebody else claimed it while this statement ran.
  if (found === null) return { kind: 'busy' };
  if (!found.same) return { kind: 'reused' };
  if (found.answer === null) return { kind: 'busy' };
  return { kind: 'kept', answer: found.answer };
}

/**
 * Notes that what came with this key was stored elsewhere at `storedAt`, RFC 3339. An earlier try of it may have come through
 * later than that, as from a replica that was frozen: it is no newer for it than what was stored elsewhere since.
 */
export async function backdateIdempotencyKey(
  connection: Connection,
  scope: IdempotencyScope,
  { fingerprint, storedAt }: Pick<ClaimRequest, 'fingerprint'> & { readonly storedAt: string },
): Promise<void> {
  await connection.query(sql.prepared('backdate_idempotency_key', z.object({}))`
    UPDATE idempotency_keys SET created_at = ${storedAt}::timestamptz
    WHERE ${isOf(scope)} AND fingerprint_sha256 = decode(${fingerprint}, 'hex') AND created_at > ${storedAt}::timestamptz
  `);
}

/** Keeps the answer of a store that was claimed. */
export async function settleIdempotencyClaim(
  connection: Connection,
  scope: IdempotencyScope,
  { status, headers, body }: KeptAnswer,
): Promise<void> {
  await connection.query(sql.prepared('settle_idempotency_claim', z.object({}))`
    UPDATE idempotency_keys
    SET status = ${status}, headers = ${JSON.stringify(headers)}::jsonb, body = ${body}, claimed_until = NULL
    WHERE ${isOf(scope)} AND status IS NULL
  `);
}

/** Lets the next try begin at once; it goes on where this one ended. */
export async function releaseIdempotencyClaim(
  connection: Connection,
  scope: IdempotencyScope,
): Promise<void> {
  await connection.query(sql.prepared('release_idempotency_claim', z.object({}))`
    UPDATE idempotency_keys SET claimed_until = now() WHERE ${isOf(scope)} AND status IS NULL
  `);
}
