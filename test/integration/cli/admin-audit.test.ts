import { sql } from 'slonik';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { listUnsealedChains, sealAuditEvents } from '../../../src/store/audit-chain.ts';
import { appendAuditEvent } from '../../../src/store/audit-events.ts';
import { freshDatabase } from '../../fixtures/database.ts';
import { openDatabase } from '../store/builders.ts';
import { type CliResult, runCli } from './run-cli.ts';

const { url } = await freshDatabase();
const database = await openDatabase(url, 2);
const { pool } = database;
afterAll(() => database.close());

let acmeId: string;
let keyId: string;
/** Of the empty database. */
let before: CliResult;

beforeAll(async () => {
  before = await admin('audit verify');
  acmeId = (await adminJson('customer create acme')).id;
  keyId = (await adminJson('key create --customer acme --name nightly')).id;
  await appendAuditEvent(pool, { eventType: 'test.by_nobody', metadata: {} });
});

describe('what administrators do', () => {
  it('is in the audit, with who did it', async () => {
    const rotated = await adminJson(`key rotate ${keyId} --customer acme --overlap-hours 1`);
    await admin(`key revoke ${keyId} --customer acme`);
    await admin('key revoke nothing --customer acme');
    await admin('forge-account add acme --customer acme');
    await admin('forge-account verify acme --customer acme');
    await admin('forge-account verify other --customer acme');
    await admin('forge-account remove acme --customer acme');
    await admin('forge-account remove acme --customer acme');
    const events = await eventsOf(acmeId);
    expect(events.map(({ type, metadata: { actor: _, ...metadata } }) => [type, metadata])).toEqual([
      ['customer.created', { name: 'acme' }],
      ['api_key.created', { keyId, name: 'nightly', scopes: ['phases:read', 'phases:write'] }],
      ['api_key.rotated', { keyId, overlapHours: 1, successor: rotated.id }],
      ['api_key.revoked', { keyId }],
      ['forge_account.added', { forge: 'github', namespace: 'acme' }],
      ['forge_account.verified', { forge: 'github', namespace: 'acme' }],
      ['forge_account.removed', { forge: 'github', namespace: 'acme' }],
    ]);
    for (const { metadata } of events) expect(metadata['actor']).toMatch(/^cli:.+@.+$/);
    expect(JSON.stringify(events)).not.toContain('rsolv_');
  });

  it('is not where it failed', async () => {
    const count = (await eventsOf(acmeId)).length;
    expect(await admin('customer create acme')).toMatchObject({
      code: 1,
      stderr: expect.stringMatching(/already/),
    });
    await admin('customer create globex');
    await admin('forge-account add taken --customer globex');
    await admin('forge-account verify taken --customer globex');
    await admin('forge-account add taken --customer acme');
    expect(await admin('forge-account verify taken --customer acme')).toMatchObject({
      code: 1,
      stderr: expect.stringMatching(/^error: .*\nTo move it, remove it from the other customer first/),
    });
    expect((await eventsOf(acmeId)).length).toBe(count + 1);
  });
});

describe('admin audit verify', () => {
  it('says that there is nothing to verify yet', () => {
    expect(before).toEqual({ code: 0, stdout: '', stderr: 'Nothing is sealed yet.\n' });
  });

  it('says of every chain that it is intact, and what its head is', async () => {
    await sealAll();
    const { stdout } = await admin('audit verify');
    expect(stdout).toMatch(/^CUSTOMER +STATE +VERIFIED +BROKEN-AT\n/);
    expect(stdout).toMatch(/acme +intact +\d+ +-\n/);
    const chains = await adminJson('audit verify');
    expect(chains).toEqual(
      expect.arrayContaining([
        { customer: 'acme', customerId: acmeId, verified: expect.any(Number), head: anyHead },
        { customer: null, customerId: null, verified: 1, head: { ...anyHead, sequence: 1 } },
      ]),
    );
    expect(chains).toHaveLength(3);
  });

  it('names what was changed, on stderr and in the document, and exits 1', async () => {
    const [{ head }] = await adminJson('audit verify --customer acme');
    const [event] = await eventsOf(acmeId);
    await pool.query(sql.unsafe`UPDATE audit_events SET role = 'x' WHERE id = ${event?.id ?? 0}`);
    const { code, stdout, stderr } = await admin('audit verify -o json');
    expect(code).toBe(1);
    expect(stderr).toBe(
      `error: the audit of customer acme is broken: place 1 (event ${event?.id}) was changed or moved\n`,
    );
    const broken = JSON.parse(stdout).filter((chain: object) => 'broken' in chain);
    expect(broken).toMatchObject([
      { customer: 'acme', broken: { kind: 'changed', sequence: 1, eventId: event?.id } },
    ]);
    expect(await admin('audit verify --customer globex')).toMatchObject({ code: 0, stderr: '' });
    await pool.query(sql.unsafe`UPDATE audit_events SET role = NULL WHERE id = ${event?.id ?? 0}`);
    const anchor = `${head.sequence}:${head.hash}`;
    expect(await admin(`audit verify --customer acme --anchor ${anchor}`)).toMatchObject({ code: 0 });
    const wrong = `${head.sequence}:${'0'.repeat(64)}`;
    expect(await admin(`audit verify --customer acme --anchor ${wrong}`)).toMatchObject({
      code: 1,
      stderr: expect.stringMatching(/written anew/),
    });
  });

  it.each([
    { args: '--anchor 1:abc --customer acme', want: /64 hexadecimal/ },
    { args: `--anchor 1:${'0'.repeat(64)}`, want: /name its --customer/ },
  ])('refuses $args', async ({ args, want }) => {
    expect(await admin(`audit verify ${args}`)).toMatchObject({
      code: 2,
      stderr: expect.stringMatching(want),
    });
  });
});

const anyHead = { sequence: expect.any(Number), hash: expect.stringMatching(/^[0-9a-f]{64}$/) };

function admin(args: string): Promise<CliResult> {
  return runCli(['admin', ...args.split(' ')], { env: { DATABASE_URL: url } });
}

async function adminJson(args: string) {
  const { code, stdout, stderr } = await admin(`${args} -o json`);
  expect([code, stderr]).toEqual([0, expect.any(String)]);
  return JSON.parse(stdout);
}

async function sealAll(): Promise<void> {
  for (const owner of await listUnsealedChains(pool)) await sealAuditEvents(pool, owner, 1000);
}

async function eventsOf(customerId: string) {
  const event = z.object({ id: z.number(), type: z.string(), metadata: z.record(z.string(), z.unknown()) });
  return pool.any(sql.type(event)`
    SELECT id, event_type AS type, metadata FROM audit_events WHERE customer_id = ${customerId} ORDER BY id
  `);
}
