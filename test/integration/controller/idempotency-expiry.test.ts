import { Client } from 'pg';
import { afterAll, beforeEach, expect, test } from 'vitest';
import { createIdempotencyExpiry } from '../../../src/controller/idempotency-expiry.ts';
import { createMetrics } from '../../../src/telemetry/metrics.ts';
import { freshDatabase } from '../../fixtures/database.ts';
import { makeCustomer, openDatabase } from '../store/builders.ts';

const { url } = await freshDatabase();
const database = await openDatabase(url);
const client = new Client({ connectionString: url });
await client.connect();
afterAll(() => Promise.all([database.close(), client.end()]));

const { customerId } = await makeCustomer(database.pool);
const metrics = createMetrics({ defaultMetrics: false });
const job = createIdempotencyExpiry({ pool: database.pool, metrics });

beforeEach(() => client.query('TRUNCATE idempotency_keys'));

/** Keys named `<name>-<n>`; one that is under way has no answer yet. */
async function insertKeys(name: string, { left, count = 1, isUnderWay = false }: Keys): Promise<void> {
  await client.query(
    `INSERT INTO idempotency_keys (customer_id, scope_sha256, fingerprint_sha256, status, body, claimed_until, expires_at)
     SELECT $1, sha256(convert_to($2 || n, 'UTF8')), sha256(''), CASE WHEN $5 THEN NULL ELSE 200 END, $2,
       now(), now() + $3::interval
     FROM generate_series(1, $4) n`,
    [customerId, name, left, count, isUnderWay],
  );
}

interface Keys {
  readonly left: string;
  readonly count?: number;
  readonly isUnderWay?: boolean;
}

async function namesLeft(): Promise<string[]> {
  const { rows } = await client.query<{ body: string }>('SELECT body FROM idempotency_keys ORDER BY body');
  return rows.map(({ body }) => body);
}

test('what has expired is deleted, answered or not, in as many batches as it takes; the rest stays', async () => {
  await insertKeys('expired', { left: '-1 second', count: 2_500 });
  await insertKeys('abandoned', { left: '-1 second', isUnderWay: true });
  await insertKeys('kept', { left: '1 hour' });
  await insertKeys('under way', { left: '1 hour', isUnderWay: true });
  await job.run(new AbortController().signal);
  expect(await namesLeft()).toEqual(['kept', 'under way']);
  expect(await metrics.expose()).toContain('phaserun_idempotency_keys_deleted_total 2501');
});

test('told to stop it ends after the batch in hand', async () => {
  await insertKeys('expired', { left: '-1 second', count: 2_500 });
  await job.run(AbortSignal.abort());
  expect(await namesLeft()).toHaveLength(1_500);
});
