import { Client } from 'pg';
import { afterAll, expect, test } from 'vitest';
import type { MeasuredRun } from '../../../src/controller/interpret.ts';
import { createMeasurements } from '../../../src/controller/measurements.ts';
import { countRun } from '../../../src/controller/product-measure.ts';
import { measureResult } from '../../../src/domain/measure.ts';
import { archiveRun } from '../../../src/store/archive.ts';
import { createMetrics } from '../../../src/telemetry/metrics.ts';
import { freshDatabase } from '../../fixtures/database.ts';
import { makeCustomer, makeRun, openDatabase } from '../store/builders.ts';

const { url } = await freshDatabase();
const database = await openDatabase(url);
const client = new Client({ connectionString: url });
await client.connect();
afterAll(() => Promise.all([database.close(), client.end()]));

const { pool } = database;
const never = new AbortController().signal;

test('the leader shows how many sessions are open and how large tables are, and nothing once it leads no more', async () => {
  const { customerId } = await makeCustomer(pool);
  for (const [status, count] of [
    ['pending', 2],
    ['active', 3],
    ['completed', 4],
  ] as const) {
    await client.query(
      `INSERT INTO sessions (customer_id, role, status) SELECT $1, 'support', $2 FROM generate_series(1, $3)`,
      [customerId, status, count],
    );
  }
  const metrics = createMetrics({ defaultMetrics: false });
  const jobs = createMeasurements({ pool, metrics });
  for (const job of jobs) await job.run(never);
  const leading = await metrics.expose();
  expect(leading).toContain('rsolv_sessions_open{state="pending"} 2');
  expect(leading).toContain('rsolv_sessions_open{state="active"} 3');
  expect(leading).toMatch(/phaserun_stored_bytes\{table="sessions"\} [1-9]\d{4}/);
  for (const job of jobs) job.end?.();
  const after = await metrics.expose();
  expect(after).not.toContain('rsolv_sessions_open{');
  expect(after).not.toContain('phaserun_stored_bytes{');
});

const ISSUE_FIXED = { validated: true, fixed: true };

test.for([
  { promise: 'from the first validation on', phases: ['validation', 'validation', 'mitigation'], want: 3600 },
  { promise: 'not where nothing was validated', phases: ['mitigation'], want: undefined },
  { promise: 'not before it is fixed', phases: ['validation', 'validation'], want: undefined },
] as const)('the time to mitigate is observed $promise', async ({ phases, want }) => {
  const { customerId } = await makeCustomer(pool);
  const metrics = createMetrics({ defaultMetrics: false });
  for (const [index, phase] of phases.entries()) {
    const data = { ...ISSUE_FIXED, attempt: index };
    const run: MeasuredRun = {
      ...makeRun({ customerId, phase, data, order: 1024 * (index + 1) }),
      measure: measureResult(phase, data),
    };
    const outcome = await archiveRun(pool, run);
    if (outcome.disposition === 'rejected' || outcome.disposition === 'quarantined')
      throw new Error('not archived');
    countRun(metrics.product, run, outcome);
    const again = await archiveRun(pool, run);
    expect(again).not.toHaveProperty('secondsToFix');
    // So much later comes the next one.
    await client.query(
      `UPDATE validation_executions SET created_at = created_at - interval '30 minutes' WHERE customer_id = $1`,
      [customerId],
    );
  }
  const text = await metrics.expose();
  const sum = /rsolv_time_to_mitigate_seconds_sum\{repo="acme\/nodegoat"\} ([\d.]+)/.exec(text)?.[1];
  expect(sum === undefined ? undefined : Math.round(Number(sum) / 60) * 60).toBe(want);
});
