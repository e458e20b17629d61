import type { Client } from 'pg';
import type { Connection } from '../../../src/store/database.ts';
import {
  deleteExpiredIdempotencyRecords,
  findIdempotencyRecord,
  putIdempotencyRecord,
  tryLockIdempotencyKey,
} from '../../../src/store/idempotency.ts';
import {
  backdateIdempotencyKey,
  claimIdempotencyKey,
  releaseIdempotencyClaim,
  settleIdempotencyClaim,
} from '../../../src/store/idempotency-claims.ts';

/** Calls every function of the store that requests with an Idempotency-Key call. */
export async function callIdempotencyStatements(pool: Connection, customerId: string): Promise<void> {
  const scope = { customerId, sha256: 'ab'.repeat(32) };
  const fingerprint = 'cd'.repeat(32);
  const answer = { status: 201, headers: {}, body: '{}' };
  await pool.transaction((transaction) => tryLockIdempotencyKey(transaction, scope));
  const runId = '00000000-0000-8000-8000-000000000001';
  await claimIdempotencyKey(pool, scope, {
    fingerprint,
    slot: 'github/acme/nodegoat/issue/1204',
    runId,
    order: 1_024,
    leaseSeconds: 1,
    ttlSeconds: 60,
  });
  await backdateIdempotencyKey(pool, scope, { fingerprint, storedAt: '2026-03-01T10:00:00.000Z' });
  await releaseIdempotencyClaim(pool, scope);
  await settleIdempotencyClaim(pool, scope, answer);
  await findIdempotencyRecord(pool, scope);
  await putIdempotencyRecord(pool, scope, { fingerprint, answer, ttlSeconds: 60 });
  await deleteExpiredIdempotencyRecords(pool, { limit: 10 });
}

/** 100,000 keys of one customer, a few of which have expired. */
export async function fillIdempotencyKeys(client: Client): Promise<void> {
  await client.query(`
    INSERT INTO idempotency_keys (customer_id, scope_sha256, fingerprint_sha256, slot, run_order, status, expires_at)
    SELECT
      md5('customer0')::uuid, sha256(n::text::bytea), sha256('x'), 'slot' || n % 3, n, 200,
      now() + make_interval(secs => n - 10)
    FROM generate_series(0, 99999) n
  `);
}
