import { randomUUID } from 'node:crypto';
import { readdir, readFile } from 'node:fs/promises';
import { Client } from 'pg';
import type { QuerySqlToken } from 'slonik';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { z } from 'zod';
import { digestOf } from '../../../src/domain/digest.ts';
import { PHASES } from '../../../src/domain/phase.ts';
import { admitStore } from '../../../src/store/admission.ts';
import { parseApiKey } from '../../../src/store/api-key.ts';
import {
  createApiKey,
  listApiKeys,
  revokeApiKey,
  rotateApiKey,
  touchApiKeys,
} from '../../../src/store/api-keys.ts';
import { archiveRun, archiveTogether } from '../../../src/store/archive.ts';
import { listCommittedRuns } from '../../../src/store/committed-runs.ts';
import { findCustomer, findCustomerByName, listCustomers } from '../../../src/store/customers.ts';
import { lockTenant } from '../../../src/store/customers.ts';
import type { Connection } from '../../../src/store/database.ts';
import { listExecutions } from '../../../src/store/execution-history.ts';
import { findCustomerOfRun } from '../../../src/store/executions.ts';
import { findPrincipal } from '../../../src/store/find-principal.ts';
import { findForgeOwner, listForgeAccounts, removeForgeAccount } from '../../../src/store/forge-accounts.ts';
import { currentIncarnation } from '../../../src/store/incarnation.ts';
import { deleteIssueRuns } from '../../../src/store/issue-deletion.ts';
import { findLatePlace } from '../../../src/store/late-place.ts';
import { Leadership } from '../../../src/store/leadership.ts';
import { listPendingMigrations } from '../../../src/store/migrate.ts';
import { deleteUnusedPayloads, findPayload, findReading, putPayload } from '../../../src/store/payloads.ts';
import type { Caller } from '../../../src/store/principal.ts';
import { verifyReceipts } from '../../../src/store/receipts.ts';
import { getRepositoryAccess } from '../../../src/store/repository-access.ts';
import { retrievePhases } from '../../../src/store/retrieve.ts';
import { notifyCommitted } from '../../../src/store/run-records.ts';
import { raiseRunOrder } from '../../../src/store/slots.ts';
import { freshDatabase } from '../../fixtures/database.ts';
import { callAgentStatements, fillAgentTables } from './agent-statements.ts';
import { AUDIT_READS_ALL, callAuditStatements, fillAudit } from './audit-statements.ts';
import { makeCustomer, makeRun, openDatabase, repository } from './builders.ts';
import { callDoctorStatements, DOCTOR_READS_ALL } from './doctor-statements.ts';
import { callIdempotencyStatements, fillIdempotencyKeys } from './idempotency-statements.ts';
import { callInboxStatements, fillInbox } from './inbox-statements.ts';
import { callRetentionStatements, fillRetention, RETENTION_READS_ALL } from './retention-statements.ts';
import { callWebhookStatements, fillWebhooks } from './webhook-statements.ts';

const { url } = await freshDatabase();
const database = await openDatabase(url);
const explainer = new Client({ connectionString: url });
await explainer.connect();
afterAll(() => Promise.all([database.close(), explainer.end()]));

/** Text of each statement by its name. */
const statements = new Map<string, string>();

beforeAll(async () => {
  await fillTables();
  await callEverything(recording(database.pool));
});

test('every statement in the source is called here', async () => {
  const folder = new URL('../../../src/store/', import.meta.url);
  const files = (await readdir(folder)).filter((file) => file.endsWith('.ts') && !file.endsWith('.test.ts'));
  const texts = await Promise.all(files.map((file) => readFile(new URL(file, folder), 'utf8')));
  const inSource = texts.flatMap((text) =>
    [...text.matchAll(/['`]([a-z_]+)(?:\.\$\{[^`]*)?['`],/g)]
      .filter(({ index }) => /sql\.prepared\(\s*$/.test(text.slice(0, index)))
      .map(([, name]) => name ?? ''),
  );
  const called = new Set([...statements.keys()].map((name) => name.split('.')[0]));
  expect(inSource.length).toBeGreaterThan(30);
  expect(inSource.filter((name) => !called.has(name) && name !== 'ping')).toEqual([]);
});

test('every statement prepares, and reads large tables through an index', async () => {
  const scans: string[] = [];
  for (const [name, text] of statements) {
    if (name === SETTING) continue;
    const tables = sequentiallyRead(await explain(text));
    if (!READS_ALL.has(name)) scans.push(...tables.map((table) => `${name}: ${table}`));
  }
  expect(scans).toEqual([]);
});

test('the newest of a slot is the first row of an index, however many rows the slot has', async () => {
  const ordered = [...statements].filter(([name]) =>
    /^(retrieve_phases|admit_store|get_archive_state)/.test(name),
  );
  expect(ordered.length).toBeGreaterThan(10);
  for (const [name, text] of ordered) {
    const sorted = nodesOf(await explain(text)).filter(
      (node) => node['Node Type'] === 'Sort' && readsSlot(node),
    );
    expect([name, sorted]).toEqual([name, []]);
  }
});

test('a page of what agents list is the first rows of an index, however long the list is', async () => {
  const lists = [...statements].filter(([name]) =>
    /^list_(sessions|tasks|approvals|audit_events)\./.test(name),
  );
  expect(lists).toHaveLength(16);
  const sorted: string[] = [];
  for (const [name, text] of lists) {
    // The rows of one page, which come from a CTE.
    const isPage = (node: Plan) => node['Sort Key']?.join() === 'page.number';
    const sorts = nodesOf(await explain(text)).filter(
      (node) => node['Node Type'] === 'Sort' && !isPage(node),
    );
    if (sorts.length > 0) sorted.push(name);
  }
  // A trace has few events.
  expect(sorted.filter((name) => !name.startsWith('list_audit_events.by_trace'))).toEqual([]);
});

/** A setting of the transaction: it has no plan. */
const SETTING = 'read_as_of_now';

/** What reads all there is on purpose: all customers, and all of a repository, which here holds half of each table. */
const READS_ALL = new Set([
  'list_customers',
  'list_executions',
  // The catalogue, which has a row for each table.
  'measure_stored_bytes',
  ...AUDIT_READS_ALL,
  ...DOCTOR_READS_ALL,
  ...RETENTION_READS_ALL,
]);

const plan = z.looseObject({
  'Node Type': z.string(),
  'Relation Name': z.string().optional(),
  'Index Name': z.string().optional(),
  'Sort Key': z.array(z.string()).optional(),
  get Plans() {
    return z.array(plan).optional();
  },
});
type Plan = z.infer<typeof plan>;

async function explain(text: string): Promise<Plan> {
  const { rows } = await explainer.query(`EXPLAIN (GENERIC_PLAN, FORMAT JSON) ${text}`);
  const parsed = z.array(z.object({ 'QUERY PLAN': z.array(z.object({ Plan: plan })) })).parse(rows);
  const root = parsed[0]?.['QUERY PLAN'][0]?.Plan;
  if (root === undefined) throw new Error('no plan');
  return root;
}

function nodesOf(node: Plan): Plan[] {
  return [node, ...(node.Plans ?? []).flatMap(nodesOf)];
}

/** One row by its key may be sorted for what it costs. */
function readsSlot(node: Plan): boolean {
  return nodesOf(node).some(
    (each) => each['Relation Name']?.endsWith('_executions') && !each['Index Name']?.endsWith('_pkey'),
  );
}

function sequentiallyRead(root: Plan): string[] {
  return nodesOf(root)
    .filter((node) => node['Node Type'] === 'Seq Scan')
    .map((node) => node['Relation Name'] ?? '')
    .filter((table) => table !== 'schema_migrations' && table !== 'pg_database' && !SMALL.has(table));
}

/** Tables that hold a handful of rows by their nature. */
const SMALL = new Set([
  'leadership',
  'quarantined_runs',
  'profiles',
  'retention_settings',
  'inbox_runs',
  'run_order',
]);

function recording(connection: Connection): Connection {
  const record = <T extends QuerySqlToken>(query: T): T => {
    if (query.name === undefined) throw new Error(`a statement without a name: ${query.sql}`);
    statements.set(query.name, query.sql.replaceAll('$slonik_', '$'));
    return query;
  };
  return {
    any: (query) => connection.any(record(query)),
    one: (query) => connection.one(record(query)),
    maybeOne: (query) => connection.maybeOne(record(query)),
    query: (query) => connection.query(record(query)),
    transaction: (body) =>
      connection.transaction((transaction) => body({ ...transaction, ...recording(transaction) })),
  };
}

async function callEverything(pool: Connection): Promise<void> {
  const { customerId, namespace } = await makeCustomer(pool);
  await callArchive(pool, customerId);
  const key = await createApiKey(pool, { customerId, name: 'ci', scopes: ['phases:read', 'phases:write'] });
  const credentials = parseApiKey(key.apiKey);
  if (credentials === undefined) throw new Error('a key that cannot be parsed');
  const subject = { repository: repository('nodegoat', namespace), issueNumber: 1204, commitSha: '7776c71' };
  const callers: readonly Caller[] = [
    credentials,
    { kind: 'customer', customer: customerId, scopes: ['phases:read'], subject: 'somebody' },
    { kind: 'repository', repository: subject.repository },
  ];
  for (const caller of callers) {
    for (const phase of PHASES) {
      await admitStore(pool, caller, { ...subject, phase, pipelineRunId: '1' });
      await admitStore(pool, caller, { ...subject, phase, runId: randomUUID() });
    }
    await admitStore(pool, caller, { repository: subject.repository, issueNumber: 1204, phase: 'scan' });
    await findPrincipal(pool, caller);
    await retrievePhases(pool, caller, subject);
    await retrievePhases(pool, caller, { ...subject, scanOfIssue: true });
    await getRepositoryAccess(pool, caller, subject.repository);
  }
  const storedAt = new Date().toISOString();
  for (const phase of PHASES) await findLatePlace(pool, { ...subject, customerId, phase, storedAt });
  const { commitSha: _, ...ofIssue } = subject;
  await findLatePlace(pool, { ...ofIssue, customerId, phase: 'scan', storedAt });
  await deleteIssueRuns(pool, { ...ofIssue, customerId, actor: 'key:ci' });
  await touchApiKeys(pool, [{ keyId: key.id, usedAt: new Date().toISOString() }]);
  await rotateApiKey(pool, customerId, key.id, { overlapSeconds: 60 });
  await revokeApiKey(pool, customerId, key.id);
  await listApiKeys(pool, customerId);
  await listCustomers(pool);
  await listExecutions(pool, { customerId, repository: 'acme/nodegoat', limit: 10 });
  await findCustomer(pool, customerId);
  await findCustomerByName(pool, 'nobody');
  await findForgeOwner(pool, 'github', [namespace]);
  await listForgeAccounts(pool, customerId);
  await removeForgeAccount(pool, customerId, { forge: 'github', namespace });
  await deleteUnusedPayloads(pool, { inUse: ['ab'], limit: 10 });
  await callAgentStatements(pool, customerId);
  await callAuditStatements(pool, customerId);
  await callWebhookStatements(pool, customerId);
  await callIdempotencyStatements(pool, customerId);
  await callInboxStatements(pool, customerId);
  await callRetentionStatements(pool, customerId);
  await callDoctorStatements(pool, customerId);
  await callLeadership(pool);
  await currentIncarnation(pool);
  await listPendingMigrations(pool);
}

async function callLeadership(pool: Connection): Promise<void> {
  const leadership = new Leadership(pool);
  await leadership.begin(AbortSignal.timeout(5_000));
  await currentIncarnation(leadership.connection);
  await raiseRunOrder(pool, 1);
}

async function callArchive(pool: Connection, customerId: string): Promise<void> {
  for (const phase of PHASES) {
    const running = makeRun({ customerId, phase, status: 'running', data: { phase } });
    await archiveRun(pool, running);
    await archiveRun(pool, makeRun({ customerId, phase, status: 'running', data: { phase } }));
    await archiveRun(pool, makeRun({ ...running, status: 'completed', data: { phase }, byReference: true }));
    const data = { referred: phase };
    const referred = makeRun({ customerId, phase, data, byReference: true });
    await putPayload(pool, { customerId, phase, data, digest: digestOf(data) });
    await archiveRun(pool, referred);
    const { runId, sha256 } = referred;
    await findReading(pool, { customerId, runId, phase, sha256 });
    await findPayload(pool, { customerId, runId, sha256 });
    await listCommittedRuns(pool, [referred.runId]);
    await findCustomerOfRun(pool, referred.runId);
    await verifyReceipts(pool, [{ ...referred, executionId: referred.runId }]);
  }
  const { commitSha: _, ...withoutCommit } = makeRun({ customerId, phase: 'scan', issueNumber: 7 });
  await archiveRun(pool, withoutCommit);
  await archiveRun(pool, makeRun({ customerId, data: { bad: '\0' } }));
  const deleted = makeRun({ customerId, order: 1, issueNumber: 99 });
  await explainer.query('INSERT INTO slot_tombstones (customer_id, slot, up_to_order) VALUES ($1, $2, 9)', [
    customerId,
    deleted.slot,
  ]);
  await archiveRun(pool, deleted);
  await archiveTogether(pool, [makeRun({ customerId, issueNumber: 100 })]);
  await lockTenant(pool, 'acme');
  await notifyCommitted(pool, [{ ...deleted, disposition: 'unchanged' }]);
}

/** 1,000,000 executions in few slots, with their sessions, and 10,000 rows in the other tables that grow. */
async function fillTables(): Promise<void> {
  await explainer.query(`
    SET session_replication_role = replica; -- no foreign keys to be checked
    INSERT INTO customers (id, name)
    SELECT md5('customer' || n)::uuid, 'customer ' || n FROM generate_series(0, 9999) n;
    INSERT INTO api_keys (id, customer_id, name, secret_sha256, scopes)
    SELECT 'key' || n, md5('customer' || n % 10000)::uuid, 'ci', sha256('x'), '{phases:read}' FROM generate_series(0, 9999) n;
    INSERT INTO forge_accounts (customer_id, forge_type, namespace, verified_at)
    SELECT md5('customer' || n % 10000)::uuid, 'github', 'namespace' || n, now() FROM generate_series(0, 9999) n;
    INSERT INTO repositories (id, customer_id, forge_type, namespace, name, full_path)
    SELECT md5('repository' || n)::uuid, md5('customer' || n % 10000)::uuid, 'github', 'namespace', 'name' || n, '' FROM generate_series(0, 9999) n;
    INSERT INTO sessions (id, customer_id, role, status, repository_id, subject, last_run_order)
    SELECT md5('session' || n)::uuid, md5('customer0')::uuid, 'phaserun', 'completed', md5('repository0')::uuid, 'issue/1', n FROM generate_series(0, 333333) n;
    INSERT INTO session_transitions (session_id, customer_id, to_state)
    SELECT md5('session' || n)::uuid, md5('customer0')::uuid, 'pending' FROM generate_series(0, 9999) n;
    INSERT INTO duplicate_runs (run_id, customer_id, phase, execution_id, status, sha256)
    SELECT gen_random_uuid(), md5('customer0')::uuid, 'scan', gen_random_uuid(), 'completed', sha256('x') FROM generate_series(0, 9999) n;
    INSERT INTO run_tombstones (run_id, customer_id, reason, sha256)
    SELECT gen_random_uuid(), md5('customer0')::uuid, 'purged', sha256('x') FROM generate_series(0, 9999) n;
    INSERT INTO slot_tombstones (customer_id, slot, up_to_order)
    SELECT md5('customer0')::uuid, 'slot' || n, n FROM generate_series(0, 9999) n;
    INSERT INTO audit_events (customer_id, event_type)
    SELECT md5('customer0')::uuid, 'phaserun.inserted' FROM generate_series(0, 9999) n;
    INSERT INTO payloads (customer_id, sha256, data, size_bytes)
    SELECT md5('customer0')::uuid, sha256(n::text::bytea), '{}', 2 FROM generate_series(0, 9999) n;
  `);
  await fillAgentTables(explainer);
  await fillAudit(explainer);
  await fillWebhooks(explainer);
  await fillIdempotencyKeys(explainer);
  await fillInbox(explainer);
  await fillRetention(explainer);
  for (const phase of PHASES) {
    await explainer.query(`
      INSERT INTO ${phase}_executions (
        id, customer_id, repository_id, session_id, run_order, commit_sha, issue_number, status, sha256, size_bytes,
        phase_run_namespace, phase_run_name
      )
      SELECT gen_random_uuid(), md5('customer0')::uuid, md5('repository' || n % 2)::uuid, md5('session' || n)::uuid, n,
        CASE WHEN n % 5 > 0 THEN 'commit' || n % 3 END, 1 + n % 3,
        (ARRAY['completed', 'completed', 'completed', 'running', 'failed'])[1 + n % 5], sha256('x'), n, 'ns', 'name'
      FROM generate_series(0, 333333) n
    `);
  }
  await explainer.query('ANALYZE');
}
