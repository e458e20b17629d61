import { randomBytes, randomUUID } from 'node:crypto';
import { readdir, readFile } from 'node:fs/promises';
import { Client } from 'pg';
import { sql } from 'slonik';
import { afterEach, expect, test, vi } from 'vitest';
import { z } from 'zod';
import type { PhaseRun } from '../../../src/resources/phase-run.ts';
import { revokeApiKey } from '../../../src/store/api-keys.ts';
import { freshNamespace, ownKubernetes } from '../../fixtures/kubernetes.ts';
import { ownPostgres } from '../store/own-postgres.ts';
import {
  type ApiUnderTest,
  makeTenant,
  retrieve,
  send,
  startApi,
  startController,
  store,
  type Tenant,
} from './api-under-test.ts';

const postgres = await ownPostgres();
const kubernetes = await ownKubernetes();
const { kubeconfigPath } = kubernetes;
const databaseUrl = postgres.url;
const namespace = await freshNamespace({ kubeconfigPath });
const api = await startApi({ kubeconfigPath, databaseUrl, namespace });
const other = await startApi({ kubeconfigPath, databaseUrl, namespace });
await startController({ kubeconfigPath, databaseUrl });
const tenant = await makeTenant(api.pool);

const SOON = { timeout: 50_000, interval: 50 };

function scanOf(repo: string, n: number, more: object = {}) {
  return { phase: 'scan', repo, commitSha: 'c0ffee', data: { n }, ...more };
}

/** A repository in which both replicas have let the tenant in. */
async function knownRepo(
  replicas: readonly ApiUnderTest[] = [api, other],
  of: Tenant = tenant,
): Promise<string> {
  const repo = `${of.owner}/repo-${randomBytes(4).toString('hex')}`;
  for (const replica of replicas) {
    // An API server that has just started may be slow at first, and then the result waits elsewhere.
    await vi.waitFor(async () => {
      const commitSha = randomUUID();
      expect((await store(replica, of, { ...scanOf(repo, -1), commitSha })).status).toBe(200);
    }, SOON);
  }
  return repo;
}

/** What retrieve says once Postgres is back and the controller has archived what waited. */
async function expectNewest(repo: string, data: unknown, commit = 'c0ffee'): Promise<void> {
  await vi.waitFor(async () => {
    const { status, body } = await retrieve(api, tenant, { repo, commit });
    expect({ status, scan: body.scan }).toEqual({ status: 200, scan: data });
  }, SOON);
}

async function comeBack(): Promise<void> {
  await postgres.restart();
  // Each replica finds out by itself.
  for (const replica of [api, other]) {
    await vi.waitFor(async () => {
      const metrics = await replica.metrics.expose();
      expect(metrics).toMatch(/^phaserun_store_postgres_away 0$/m);
      expect((await retrieve(replica, tenant, { repo: `${tenant.owner}/any` })).status).toBe(200);
    }, SOON);
  }
}

afterEach(async () => {
  if (!(await ready())) await comeBack();
});

async function ready(): Promise<boolean> {
  return (await retrieve(api, tenant, { repo: `${tenant.owner}/any` })).status === 200;
}

async function runsOf(repo: string, commit?: string): Promise<readonly PhaseRun[]> {
  const runs = await api.phaseRuns.list({ namespace });
  return runs.filter(({ spec }) => spec.repo === repo && (commit ?? spec.commitSha) === spec.commitSha);
}

async function countRowsOf(repo: string, commit: string): Promise<number> {
  const counted = z.object({ rows: z.number() });
  const { rows } = await api.pool.one(sql.type(counted)`
    SELECT count(*) AS rows FROM scan_executions e JOIN repositories r ON r.id = e.repository_id
    WHERE r.namespace || '/' || r.name = ${repo} AND e.commit_sha = ${commit}
  `);
  return rows;
}

function keyIdOf({ apiKey }: Tenant): string {
  const [, keyId = ''] = apiKey.split('_');
  return keyId;
}

async function childrenOf(pid: number): Promise<readonly number[]> {
  const processes = (await readdir('/proc')).map(Number).filter((each) => each > 0);
  const parents = await Promise.all(
    processes.map((each) => readFile(`/proc/${each}/stat`, 'utf8').then(parentIn, () => undefined)),
  );
  return processes.filter((_, at) => parents[at] === pid);
}

/** The second field after the name, which stands in parentheses (proc(5)). */
function parentIn(stat: string): number {
  return Number(stat.slice(stat.lastIndexOf(')')).split(' ')[2]);
}

test('a caller that Postgres let in before stores while it is away; once it is back the result is the newest of its slot', async () => {
  const repo = await knownRepo();
  expect((await store(api, tenant, scanOf(repo, 1))).status).toBe(200);
  await postgres.kill();
  const stored = await store(api, tenant, scanOf(repo, 2));
  expect(stored).toMatchObject({ status: 202, body: { success: true, persisted: false } });
  const { phaseRun, id } = stored.body;
  expect((await api.phaseRuns.get(phaseRun)).spec).toMatchObject({ runId: id, result: { data: { n: 2 } } });
  await comeBack();
  await expectNewest(repo, { n: 2 });
  expect((await store(api, tenant, scanOf(repo, 3))).status).toBe(200);
  await expectNewest(repo, { n: 3 });
});

test('what it cannot know, or may no more, it answers with 503: neither 401 nor 403', async () => {
  const revoked = await makeTenant(api.pool);
  const expiresAt = new Date(Date.now() + 8_000).toISOString();
  const expiring = await makeTenant(api.pool, { expiresAt });
  const stranger = await makeTenant(api.pool);
  const repo = await knownRepo();
  const repoOfRevoked = await knownRepo([api], revoked);
  const repoOfExpiring = await knownRepo([api], expiring);
  await revokeApiKey(api.pool, revoked.customerId, keyIdOf(revoked));
  expect((await retrieve(api, revoked, { repo: repoOfRevoked, commit: 'before' })).status).toBe(401);
  await postgres.kill();
  expect((await store(api, expiring, scanOf(repoOfExpiring, 1))).status).toBe(202);
  const otherSecret = { apiKey: `${tenant.apiKey.slice(0, -1)}${tenant.apiKey.endsWith('a') ? 'b' : 'a'}` };
  await vi.waitUntil(() => Date.now() > Date.parse(expiresAt), SOON);
  const refused: [string, Pick<Tenant, 'apiKey'>, string][] = [
    ['unknown key', { apiKey: 'rsolv_nobody_secret' }, repo],
    ['known key id with another secret', otherSecret, repo],
    ['tenant that has not stored here', stranger, `${stranger.owner}/shop`],
    ["another tenant's repository", stranger, repo],
    ['repository in which the tenant has not stored', tenant, `${tenant.owner}/never`],
    ['key that was refused before', revoked, repoOfRevoked],
    ['key that has expired since', expiring, repoOfExpiring],
  ];
  for (const [name, who, where] of refused) {
    const answer = await store(api, who, scanOf(where, 1));
    expect([name, answer.status, answer.body.code]).toEqual([name, 503, 'DATABASE_UNAVAILABLE']);
    expect(Number(answer.headers.get('retry-after'))).toBeGreaterThan(0);
  }
});

test('a key that is revoked while a replica is cut off is refused as soon as Postgres can be asked', async () => {
  const revoked = await makeTenant(api.pool);
  const repo = await knownRepo([api], revoked);
  await postgres.kill();
  expect((await store(api, revoked, scanOf(repo, 1))).status).toBe(202);
  await comeBack();
  await revokeApiKey(api.pool, revoked.customerId, keyIdOf(revoked));
  // A connection from before the outage may be found dead first.
  await vi.waitFor(async () => {
    expect((await store(api, revoked, scanOf(repo, 2))).status).toBe(401);
  }, SOON);
  await postgres.kill();
  expect((await store(api, revoked, scanOf(repo, 2))).status).toBe(503);
});

test('a Postgres that hangs is waited for once, and then no more', async () => {
  const repo = await knownRepo([api]);
  const pids = [postgres.pid(), ...(await childrenOf(postgres.pid()))];
  for (const pid of pids) process.kill(pid, 'SIGSTOP');
  try {
    expect((await store(api, tenant, scanOf(repo, 0))).status).toBe(202);
    for (let n = 1; n <= 20; n += 1) {
      // From then on nobody asks it but the probe.
      expect(await api.metrics.expose()).toMatch(/^phaserun_store_postgres_away 1$/m);
      expect((await store(api, tenant, scanOf(repo, n))).status).toBe(202);
    }
  } finally {
    for (const pid of pids) process.kill(pid, 'SIGCONT');
  }
  await expectNewest(repo, { n: 20 });
});

test('two replicas store into one slot: places differ, and what began after an acknowledgement is the newer one', async () => {
  const repo = await knownRepo();
  await postgres.kill();
  for (let n = 0; n < 6; n += 1) {
    expect((await store(n % 2 === 0 ? other : api, tenant, scanOf(repo, n))).status).toBe(202);
  }
  const atOnce = await Promise.all(
    [10, 11, 12, 13, 14, 15].map((n) => store(n % 2 === 0 ? other : api, tenant, scanOf(repo, n))),
  );
  expect(atOnce.map(({ status }) => status)).toEqual(atOnce.map(() => 202));
  expect((await store(api, tenant, scanOf(repo, 20))).status).toBe(202);
  const orders = (await runsOf(repo, 'c0ffee')).map(({ spec }) => spec.order);
  expect(new Set(orders).size).toBe(13);
  const inTurn = [0, 1, 2, 3, 4, 5].map((n) => orderOf(n));
  expect(await Promise.all(inTurn)).toEqual((await Promise.all(inTurn)).toSorted((a, b) => a - b));
  await comeBack();
  await expectNewest(repo, { n: 20 });

  async function orderOf(n: number): Promise<number> {
    const run = (await runsOf(repo)).find(({ spec }) => spec.result.data?.['n'] === n);
    return run?.spec.order ?? Number.NaN;
  }
});

test('a later outage is above what an earlier one stored, though its PhaseRuns are gone', async () => {
  const repo = await knownRepo();
  await postgres.kill();
  for (let n = 0; n < 5; n += 1) {
    expect((await store(api, tenant, scanOf(repo, n))).status).toBe(202);
  }
  expect((await store(other, tenant, scanOf(repo, 0, { commitSha: 'elsewhere' }))).status).toBe(202);
  await comeBack();
  await expectNewest(repo, { n: 4 });
  await vi.waitFor(async () => {
    for (const { metadata } of await runsOf(repo)) await api.phaseRuns.delete(metadata);
    expect(await runsOf(repo)).toEqual([]);
  }, SOON);
  await postgres.kill();
  expect((await store(other, tenant, scanOf(repo, 9))).status).toBe(202);
  await comeBack();
  await expectNewest(repo, { n: 9 });
});

test('a large payload is kept compressed up to 1 MiB; what is larger is refused with its size, and what to do', async () => {
  const repo = await knownRepo();
  const large = { files: randomBytes(200_000).toString('hex') };
  const tooLarge = { files: randomBytes(1_200_000).toString('base64') };
  await postgres.kill();
  expect((await store(api, tenant, scanOf(repo, 0, { data: large }))).status).toBe(202);
  const refused = await store(api, tenant, scanOf(repo, 0, { data: tooLarge, commitSha: 'large' }));
  expect(refused).toMatchObject({ status: 503, body: { code: 'DATABASE_UNAVAILABLE' } });
  expect(refused.body.detail).toMatch(/\b1048576\b.*send it again later/);
  expect(Number(refused.headers.get('retry-after'))).toBeGreaterThan(0);
  const [run] = await runsOf(repo, 'c0ffee');
  expect(Object.keys(run?.spec.result ?? {}).toSorted()).toEqual(['dataGzip', 'status']);
  await comeBack();
  await expectNewest(repo, large);
  expect((await store(api, tenant, scanOf(repo, 0, { data: tooLarge, commitSha: 'large' }))).status).toBe(
    200,
  );
});

test.each(['by its pipeline run', 'by its runId'])('a running run is moved forward, %s', async (how) => {
  const repo = await knownRepo();
  const pipelineRunId = randomUUID();
  const begun = await store(api, tenant, scanOf(repo, 0, { status: 'running', pipelineRunId }));
  expect(begun.status).toBe(200);
  await postgres.kill();
  const named = how === 'by its runId' ? { runId: begun.body.id } : { pipelineRunId };
  const ended = await store(other, tenant, scanOf(repo, 1, { status: 'completed', ...named }));
  expect(ended).toMatchObject({ status: 202, body: { id: begun.body.id } });
  const again = await store(api, tenant, scanOf(repo, 1, { status: 'completed', runId: begun.body.id }));
  expect(again).toMatchObject({ status: 202, body: { id: begun.body.id } });
  const otherwise = await store(api, tenant, scanOf(repo, 2, { status: 'failed', runId: begun.body.id }));
  expect(otherwise.status).toBe(409);
  expect(await runsOf(repo, 'c0ffee')).toHaveLength(1);
  await comeBack();
  await expectNewest(repo, { n: 1 });
  expect(await countRowsOf(repo, 'c0ffee')).toBe(1);
});

test('a store with an Idempotency-Key and its retries, during the outage and after it, are one row', async () => {
  const repo = await knownRepo();
  const key = randomUUID();
  const keyed = (replica: ApiUnderTest) =>
    send(replica, '/api/v1/phases/store', {
      method: 'POST',
      headers: { 'x-api-key': tenant.apiKey, 'content-type': 'application/json', 'idempotency-key': key },
      body: JSON.stringify(scanOf(repo, 7)),
    });
  await postgres.kill();
  const first = await keyed(api);
  expect(first.status).toBe(202);
  for (const replica of [api, other]) {
    expect(await keyed(replica)).toMatchObject({ status: 202, body: { id: first.body.id } });
  }
  expect(await runsOf(repo, 'c0ffee')).toHaveLength(1);
  expect((await store(api, tenant, scanOf(repo, 8))).status).toBe(202);
  await comeBack();
  await expectNewest(repo, { n: 8 });
  const later = await vi.waitFor(async () => {
    const answer = await keyed(other);
    expect(answer.status).toBe(200);
    return answer;
  }, SOON);
  expect(later.body.id).toBe(first.body.id);
  await expectNewest(repo, { n: 8 });
  expect(await countRowsOf(repo, 'c0ffee')).toBe(2);
});

test('history is not stored, for its place is not known; the older route stores; what reads is asked to come again', async () => {
  const repo = await knownRepo();
  await postgres.kill();
  const headers = { 'x-api-key': tenant.apiKey, 'content-type': 'application/json' };
  const late = await send(api, '/api/v1/phases/store', {
    method: 'POST',
    headers: { ...headers, 'x-phase-stored-at': new Date(Date.now() - 60_000).toISOString() },
    body: JSON.stringify(scanOf(repo, 1)),
  });
  expect(late).toMatchObject({ status: 503, body: { code: 'DATABASE_UNAVAILABLE' } });
  const older = await send(api, '/api/v1/phase_data', {
    method: 'POST',
    headers,
    body: JSON.stringify({ ...scanOf(repo, 2), repository: repo, issueNumber: 3, issue_number: 3 }),
  });
  expect(older.status).toBe(202);
  for (const path of [`/api/v1/phases/retrieve?repo=${repo}&commit=c0ffee`, '/sessions']) {
    const answer = await send(api, path, { headers });
    expect([path, answer.status]).toEqual([path, 503]);
    expect(Number(answer.headers.get('retry-after'))).toBeGreaterThan(0);
  }
});

test('that goes away between the admission and a large payload, the PhaseRun carries the payload, at the place that was drawn', async () => {
  const repo = await knownRepo([api]);
  const data = { files: randomBytes(50_000).toString('hex') };
  const blocker = new Client({ connectionString: databaseUrl });
  blocker.on('error', () => undefined);
  await blocker.connect();
  await blocker.query('BEGIN');
  await blocker.query('LOCK TABLE payloads IN ACCESS EXCLUSIVE MODE');
  const storing = store(api, tenant, scanOf(repo, 0, { data }));
  await vi.waitFor(async () => {
    const { rows } = await blocker.query("SELECT FROM pg_stat_activity WHERE wait_event_type = 'Lock'");
    expect(rows).not.toEqual([]);
  }, SOON);
  await postgres.kill();
  expect((await storing).status).toBe(202);
  const [run] = await runsOf(repo, 'c0ffee');
  expect(run?.spec).toMatchObject({ result: { dataGzip: expect.any(String) } });
  // What the sequence drew is a multiple of its step.
  expect(Number(run?.spec.order) % 1_024).toBe(0);
  await comeBack();
  await expectNewest(repo, data);
});
