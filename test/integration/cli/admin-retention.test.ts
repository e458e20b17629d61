import { Client } from 'pg';
import { afterAll, beforeEach, describe, expect, it } from 'vitest';
import { archiveRun } from '../../../src/store/archive.ts';
import { createCustomer } from '../../../src/store/customers.ts';
import { recordRetentionSettings } from '../../../src/store/retention-policies.ts';
import { freshDatabase } from '../../fixtures/database.ts';
import { makeRun, openDatabase } from '../store/builders.ts';
import { type CliResult, runCli } from './run-cli.ts';

const { url } = await freshDatabase();
const database = await openDatabase(url);
const client = new Client({ connectionString: url });
await client.connect();
afterAll(() => Promise.all([database.close(), client.end()]));

let customerId: string;
beforeEach(async () => {
  await client.query('TRUNCATE customers, retention_settings, audit_events CASCADE');
  ({ id: customerId } = await createCustomer(database.pool, 'acme'));
});

function admin(args: readonly string[], env: Readonly<Record<string, string>> = {}): Promise<CliResult> {
  return runCli(['admin', ...args], { env: { DATABASE_URL: url, ...env } });
}

async function adminJson(...args: string[]) {
  const { stdout, ...rest } = await admin([...args, '-o', 'json']);
  expect(rest).toEqual({ code: 0, stderr: '' });
  return JSON.parse(stdout);
}

async function events(): Promise<unknown[]> {
  const { rows } = await client.query({
    text: `SELECT event_type, customer_id, metadata->>'actor' LIKE 'cli:%' FROM audit_events ORDER BY id`,
    rowMode: 'array',
  });
  return rows;
}

async function archiveOld(days: number, issueNumber: number): Promise<void> {
  const run = makeRun({ customerId, issueNumber });
  await archiveRun(database.pool, run);
  await client.query(
    `UPDATE validation_executions SET updated_at = now() - make_interval(days => $2) WHERE id = $1`,
    [run.runId, days],
  );
}

describe('admin retention', () => {
  it('sets what a customer departs in, leaves the rest, and takes it back, audited', async () => {
    const policies = (rows: readonly { phase: string; executionDays: number; payloadDays: number }[]) =>
      Object.fromEntries(
        rows.map(({ phase, executionDays, payloadDays }) => [phase, [executionDays, payloadDays]]),
      );
    const set = (...args: string[]) => adminJson('retention', 'set', '--customer', 'acme', ...args);
    expect(policies(await set('--rows', '90'))).toEqual({
      scan: [90, 0],
      validation: [90, 0],
      mitigation: [90, 0],
    });
    await set('--phase', 'scan', '--rows', 'forever');
    expect(policies(await set('--phase', 'scan', '--payloads', '30'))).toMatchObject({ scan: [0, 30] });
    expect(policies((await adminJson('retention', 'show')).slice(3))).toMatchObject({
      scan: [0, 30],
      mitigation: [90, 0],
    });
    expect(policies(await adminJson('retention', 'unset', '--customer', 'acme'))).toMatchObject({
      scan: [0, 30],
      validation: [365, 0],
    });
    expect(await events()).toEqual([
      ...Array.from({ length: 3 }, () => ['retention.set', customerId, true]),
      ['retention.unset', customerId, true],
    ]);
    const gone = await admin(['retention', 'unset', '--customer', 'acme']);
    expect(gone).toMatchObject({
      code: 1,
      stderr: expect.stringMatching(/nothing is set.*\n.*retention show/),
    });
  });

  it.each([
    { args: [], want: /--rows or --payloads/ },
    { args: ['--rows', '3'], want: /--rows is 3 days.*ttlSecondsAfterArchived/ },
    {
      args: ['--rows', '8'],
      env: { SESSION_RETENTION_DAYS: '10' },
      want: /--rows is 8.*SESSION_RETENTION_DAYS/,
    },
    { args: ['--rows', '30', '--payloads', '60'], want: /--rows is 30 days.*--payloads \(60 days\)/ },
    { args: ['--rows', '1.5'], want: /whole number of days up to 36500, or forever/ },
  ])('refuses to set $args', async ({ args, env, want }) => {
    const refused = await admin(['retention', 'set', '--customer', 'acme', ...args], env);
    expect(refused).toMatchObject({ code: 2, stdout: '', stderr: expect.stringMatching(want) });
    expect((await client.query('SELECT FROM retention_policies')).rowCount).toBe(0);
  });

  it('foretells what a run takes away, by what the controller is set to, whatever the environment says', async () => {
    await archiveOld(100, 1);
    await archiveOld(50, 2);
    await archiveOld(40, 3);
    await client.query(
      `INSERT INTO tasks (customer_id, task_type, to_role, created_at) VALUES ($1, 't', 'r', now() - interval '91 days')`,
      [customerId],
    );
    const days = { sessionDays: 0, taskDays: 90, approvalDays: 0, quarantineDays: 0, tombstoneDays: 0 };
    await recordRetentionSettings(database.pool, { executionDays: 90, payloadDays: 45, ...days });
    const foretold = await adminJson('retention', 'run', '--dry-run');
    expect(foretold).toEqual([
      { kind: 'executions', customer: 'acme', phase: 'validation', rows: 1, bytes: 18 },
      { kind: 'payloads', customer: 'acme', phase: 'validation', rows: 1, bytes: 18 },
      { kind: 'tasks', customer: 'acme', phase: null, rows: 1, bytes: null },
    ]);
    expect((await client.query('SELECT FROM validation_executions')).rowCount).toBe(3);
    expect(await adminJson('retention', 'run')).toEqual(foretold);
    expect((await client.query('SELECT FROM validation_executions')).rowCount).toBe(2);
    expect((await admin(['retention', 'run', '--dry-run'])).stderr).toBe('Nothing is too old.\n');
  });
});

describe('admin legal-hold', () => {
  const hold = (...args: string[]) => admin(['legal-hold', ...args]);

  it('adds, lists and removes, audited', async () => {
    const whole = await adminJson('legal-hold', 'add', '--customer', 'acme', '--reason', 'case 1');
    expect(whole).toMatchObject({ customer: 'acme', repository: null, issueNumber: null, reason: 'case 1' });
    const issue = await adminJson(
      'legal-hold',
      'add',
      '--customer',
      'acme',
      '--repo',
      'Acme/Shop',
      '--issue',
      '7',
      '--reason',
      'case 2',
    );
    expect(issue).toMatchObject({ forge: 'github', repository: 'acme/shop', issueNumber: 7 });
    expect((await hold('list', '--customer', 'acme')).stdout).toMatch(
      /^ID +CUSTOMER +REPOSITORY +ISSUE +REASON\n\S+ +acme +all +all +case 1\n\S+ +acme +github\/acme\/shop +7 +case 2\n$/,
    );
    expect(await hold('add', '--customer', 'acme', '--reason', 'again')).toMatchObject({
      code: 1,
      stderr: expect.stringMatching(/such a hold already\n.*legal-hold list/),
    });
    expect(await adminJson('legal-hold', 'remove', issue.id, '--customer', 'acme')).toEqual(issue);
    expect(await adminJson('legal-hold', 'list')).toEqual([whole]);
    expect(await events()).toEqual([
      ['legal_hold.added', customerId, true],
      ['legal_hold.added', customerId, true],
      ['legal_hold.removed', customerId, true],
    ]);
  });

  it('leaves those of other customers alone', async () => {
    await createCustomer(database.pool, 'other');
    const { id } = await adminJson('legal-hold', 'add', '--customer', 'other', '--reason', 'x');
    expect(await hold('remove', id, '--customer', 'acme')).toMatchObject({ code: 1 });
    expect(await adminJson('legal-hold', 'list')).toHaveLength(1);
  });

  it.each([
    { args: ['--issue', '3', '--reason', 'x'], want: /name its --repo/ },
    { args: ['--repo', 'acme', '--reason', 'x'], want: /--repo must be owner\/name/ },
    { args: [], want: /--reason/ },
    { args: ['--reason', ' '], want: /between 1 and 500/ },
  ])('refuses to add $args', async ({ args, want }) => {
    const refused = await hold('add', '--customer', 'acme', ...args);
    expect(refused).toMatchObject({ code: 2, stderr: expect.stringMatching(want) });
  });
});
