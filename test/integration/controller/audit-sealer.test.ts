import { pino } from 'pino';
import { sql } from 'slonik';
import { afterAll, expect, test } from 'vitest';
import { z } from 'zod';
import { createAuditJobs } from '../../../src/controller/audit-sealer.ts';
import type { BackgroundJob } from '../../../src/controller/background-job.ts';
import { appendAuditEvent } from '../../../src/store/audit-events.ts';
import { verifyAuditChain } from '../../../src/store/audit-verification.ts';
import { createMetrics } from '../../../src/telemetry/metrics.ts';
import { freshDatabase } from '../../fixtures/database.ts';
import { makeCustomer, openDatabase } from '../store/builders.ts';

const database = await openDatabase((await freshDatabase()).url);
const { pool } = database;
afterAll(() => database.close());

const metrics = createMetrics({ defaultMetrics: false });
const errors: object[] = [];
const logger = pino({ level: 'error' }, { write: (line: string) => errors.push(JSON.parse(line)) });
const jobs = new Map(
  createAuditJobs({ pool, metrics, logger, retentionDays: 30 }).map((job) => [job.name, job]),
);
const never = new AbortController().signal;

test('a chain that somebody has meddled with is said to be so, and does not hold up the others', async () => {
  const [one, broken, other] = [await customer(), await customer(), await customer()];
  const everybody = [one, broken, other];
  for (const customerId of everybody) await happen(customerId);
  await run('seal-audit');
  await pool.query(sql.unsafe`UPDATE audit_events SET chain_sequence = 2 WHERE customer_id = ${broken}`);
  for (const customerId of everybody) await happen(customerId);
  await expect(run('seal-audit')).rejects.toThrow('cannot be gone on with');
  expect(errors).toMatchObject([{ customerId: broken, msg: 'audit events cannot be sealed' }]);
  for (const customerId of [one, other])
    expect(await verifyAuditChain(pool, customerId)).toMatchObject({ verified: 2 });
  expect(await metrics.expose()).toContain('phaserun_audit_sealed_events_total 5');
});

test('seals more than one batch in a round', async () => {
  const customerId = await customer();
  await pool.query(sql.unsafe`
    INSERT INTO audit_events (customer_id, event_type)
    SELECT ${customerId}, 'test.happened' FROM generate_series(1, 1201)
  `);
  await run('seal-audit').catch(() => undefined);
  expect(await verifyAuditChain(pool, customerId)).toMatchObject({
    verified: 1201,
    head: { sequence: 1201 },
  });
});

test('takes away what is older than its retention', async () => {
  const customerId = await customer();
  await happen(customerId);
  await run('seal-audit').catch(() => undefined);
  await pool.query(sql.unsafe`
    UPDATE audit_checkpoints SET sealed_at = now() - interval '31 days' WHERE customer_id = ${customerId}
  `);
  await happen(customerId);
  await run('seal-audit').catch(() => undefined);
  await run('cut-audit');
  const left = await pool.any(sql.type(z.object({ sequence: z.number() }))`
    SELECT chain_sequence AS sequence FROM audit_events WHERE customer_id = ${customerId}
  `);
  expect(left).toEqual([{ sequence: 2 }]);
  expect(await verifyAuditChain(pool, customerId)).toMatchObject({ verified: 1 });
  expect(await metrics.expose()).toContain('phaserun_audit_deleted_events_total 1');
});

function run(name: string): Promise<void> {
  const job: BackgroundJob | undefined = jobs.get(name);
  if (job === undefined) throw new Error(`no job ${name}`);
  return job.run(never);
}

async function customer(): Promise<string> {
  return (await makeCustomer(pool)).customerId;
}

function happen(customerId: string): Promise<number> {
  return appendAuditEvent(pool, { customerId, eventType: 'test.happened', metadata: {} });
}
