import { expect, test, vi } from 'vitest';
import { ownKubernetes } from '../../fixtures/kubernetes.ts';
import type { RoleProcess } from '../../fixtures/processes.ts';
import { ownPostgres } from '../store/own-postgres.ts';
import { countRows } from '../store/rows.ts';
import { countAudited } from './history.ts';
import { inParallel } from './in-parallel.ts';
import { retrieve, store } from './runner.ts';
import { createWorld, type Tenant } from './world.ts';

const postgres = await ownPostgres();
const kubernetes = await ownKubernetes();
const world = await createWorld({ kubeconfigPath: kubernetes.kubeconfigPath, databaseUrl: postgres.url });
const tenant = await world.makeTenant();

const SOON = { timeout: 45_000, interval: 100 };

const scan = (n: number, repo = 'shop') => ({
  phase: 'scan',
  repo: `${tenant.owner}/${repo}`,
  commitSha: `c${n}`,
  data: { n, text: 'x'.repeat(n % 5 === 0 ? 20_000 : 100) },
});

async function healthOf({ url }: RoleProcess): Promise<unknown> {
  return (await fetch(`${url}/health`)).json();
}

/** Sends until it is acknowledged, as a client does that retries; every refusal must say that it is worth it. */
async function storeAtLast(api: RoleProcess, { apiKey }: Tenant, body: object): Promise<void> {
  await vi.waitUntil(async () => {
    const { status, headers } = await store(api, { apiKey }, body);
    if (status === 200 || status === 202) return true;
    expect(status).toBe(503);
    expect(Number(headers.get('retry-after'))).toBeGreaterThan(0);
    return false;
  }, SOON);
}

async function expectRefusedForNow(api: RoleProcess, code: string): Promise<void> {
  const { status, headers, body } = await store(api, tenant, scan(0));
  expect([status, body.code]).toEqual([503, code]);
  expect(Number(headers.get('retry-after'))).toBeGreaterThan(0);
}

test('started with nothing to reach, both serve, say so, and work when it comes', async () => {
  await Promise.all([postgres.kill(), kubernetes.killApiserver()]);
  const [api, controller] = await Promise.all([world.startApi(), world.startController()]);
  const nothing = { status: 'degraded', database: 'disconnected', kubernetes: 'disconnected' };
  expect(await healthOf(api)).toMatchObject(nothing);
  expect(await healthOf(controller)).toMatchObject(nothing);
  await expectRefusedForNow(api, 'DATABASE_UNAVAILABLE');

  await postgres.restart();
  await vi.waitFor(async () => expect((await store(api, tenant, scan(0))).status).toBe(202), SOON);
  await kubernetes.restartApiserver();
  const everything = { status: 'healthy', database: 'connected', kubernetes: 'connected' };
  await vi.waitFor(async () => expect(await healthOf(api)).toMatchObject(everything), SOON);
  await vi.waitFor(async () => expect(await healthOf(controller)).toMatchObject(everything), SOON);
  await vi.waitFor(async () => expect((await store(api, tenant, scan(0))).status).toBe(200), SOON);
  await Promise.all([api.end('SIGTERM'), controller.end('SIGTERM')]);
});

test.each([
  { name: 'Postgres restarts', repo: 'postgres', interrupt: () => postgres.restart() },
  {
    name: 'Postgres crashes',
    repo: 'crash',
    interrupt: () => postgres.kill().then(() => postgres.restart()),
  },
  {
    name: 'the API server of Kubernetes crashes',
    repo: 'apiserver',
    interrupt: () => kubernetes.killApiserver().then(() => kubernetes.restartApiserver()),
  },
])('while $name under load, nothing acknowledged is lost, and each result is one row', async (outage) => {
  const { interrupt, repo } = outage;
  const [api, controller] = await Promise.all([world.startApi(), world.startController()]);
  const scans = Array.from({ length: 100 }, (_, n) => scan(n, repo));
  const before = await countRows(world.pool, 'scan_executions', tenant.customerId);
  let acknowledged = 0;
  let interrupted: Promise<void> | undefined;
  await inParallel(scans, 8, async (body) => {
    await storeAtLast(api, tenant, body);
    acknowledged += 1;
    if (acknowledged === 30) interrupted = interrupt();
  });
  await interrupted;
  for (const { repo, commitSha, data } of scans) {
    const found = () => retrieve(api, tenant, { repo, commit: commitSha });
    await vi.waitFor(async () => expect((await found()).body).toEqual({ scan: data }), SOON);
  }
  expect(await countRows(world.pool, 'scan_executions', tenant.customerId)).toBe(before + scans.length);
  expect((await countAudited(world.pool, tenant.customerId))['phaserun.inserted']).toBe(
    before + scans.length,
  );
  for (const process of [api, controller]) {
    expect(await process.end('SIGTERM')).toEqual({ code: 0, signal: null });
  }
});

test('without any settings both serve, and say what is missing', async () => {
  const env = { DATABASE_URL: undefined, KUBECONFIG: '/nowhere/kubeconfig' };
  const [api, controller] = await Promise.all([world.startApi(env), world.startController(env)]);
  const nothing = { status: 'degraded', database: 'disabled', kubernetes: 'disconnected' };
  expect(await healthOf(api)).toMatchObject(nothing);
  expect(await healthOf(controller)).toMatchObject(nothing);
  await expectRefusedForNow(api, 'DATABASE_UNAVAILABLE');
  const { status, body } = await retrieve(api, tenant, { repo: `${tenant.owner}/shop`, commit: 'c0' });
  expect([status, body.code]).toEqual([503, 'DATABASE_UNAVAILABLE']);
  for (const process of [api, controller]) {
    expect(await process.end('SIGTERM')).toEqual({ code: 0, signal: null });
  }
});
