import { randomBytes } from 'node:crypto';
import { afterEach, expect, test, vi } from 'vitest';
import { freshNamespace, ownKubernetes } from '../../fixtures/kubernetes.ts';
import { ownPostgres } from '../store/own-postgres.ts';
import {
  type ApiUnderTest,
  makeTenant,
  retrieve,
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

const SOON = { timeout: 30_000, interval: 50 };

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
    const known = await store(replica, of, { ...scanOf(repo, -1), commitSha: 'before' });
    expect([known.status, known.body.detail]).toEqual([200, undefined]);
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
