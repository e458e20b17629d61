import { expect, test, vi } from 'vitest';
import { freshDatabase } from '../../fixtures/database.ts';
import { freshNamespace, ownKubernetes } from '../../fixtures/kubernetes.ts';
import type { Environment, RoleProcess } from '../../fixtures/processes.ts';
import { countRows } from '../store/rows.ts';
import { countAudited, countTransitions } from './history.ts';
import { inParallel } from './in-parallel.ts';
import { type Manifest, makeManifest } from './manifests.ts';
import { createWorld, type Tenant } from './world.ts';

const { url: databaseUrl } = await freshDatabase();
const { kubeconfigPath } = await ownKubernetes();
const world = await createWorld({ kubeconfigPath, databaseUrl });

const SOON = { timeout: 45_000, interval: 20 };

/** Scans that have a session each. */
function makeScans(tenant: Tenant, count: number): readonly Manifest[] {
  return Array.from({ length: count }, (_, n) =>
    makeManifest(tenant, `scan-${n}`, {
      spec: { phase: 'scan', commitSha: `c${n}`, repo: `${tenant.owner}/repo-${n % 7}` },
      result: { data: { vulnerabilities: [n] } },
    }),
  );
}

const createAll = (manifests: readonly Manifest[]) =>
  inParallel(manifests, 16, async (manifest) => {
    await world.phaseRuns.create({ ...manifest });
  });

const countScans = ({ customerId }: Tenant) => countRows(world.pool, 'scan_executions', customerId);

async function listVersions({ namespace }: Tenant): Promise<ReadonlyMap<string, string>> {
  const phaseRuns = await world.phaseRuns.list({ namespace });
  return new Map(phaseRuns.map(({ metadata }) => [metadata.name, metadata.resourceVersion]));
}

/** Waits until every run of the tenant says that it is archived. */
const untilArchived = ({ namespace }: Tenant) =>
  vi.waitUntil(
    async () =>
      (await world.phaseRuns.list({ namespace })).every(({ status }) => status?.archive !== undefined),
    { ...SOON, interval: 250 },
  );

async function startLeader(env: Environment = {}): Promise<RoleProcess> {
  const controller = await world.startController(env);
  await vi.waitUntil(() => leads(controller), SOON);
  return controller;
}

const leads = (controller: RoleProcess) => controller.log().includes('"msg":"leading"');

/** What is there when each of so many scans had its one effect. */
const onceEach = (count: number) => ({
  rows: count,
  transitions: { 'none → pending': count, 'pending → active': count, 'active → completed': count },
  audited: { 'phaserun.inserted': count },
});

async function findEffects(tenant: Tenant) {
  return {
    rows: await countScans(tenant),
    transitions: await countTransitions(world.pool, tenant.customerId),
    audited: await countAudited(world.pool, tenant.customerId),
  };
}

test('killed in the middle of 500 runs, the leader is followed by the standby, and each run has one effect', async () => {
  const tenant = await world.makeTenant();
  const leader = await startLeader();
  const standby = await world.startController();
  const creating = createAll(makeScans(tenant, 500));
  await vi.waitUntil(async () => (await countScans(tenant)) >= 100, SOON);
  expect(await leader.end('SIGKILL')).toEqual({ code: null, signal: 'SIGKILL' });
  expect(await countScans(tenant)).toBeLessThan(500);
  expect(leads(standby)).toBe(false);
  await creating;
  await untilArchived(tenant);
  expect(leads(standby)).toBe(true);
  expect(await findEffects(tenant)).toEqual(onceEach(500));
  expect(await standby.end('SIGTERM')).toEqual({ code: 0, signal: null });
});

test('told to stop in the middle of 300 runs, it finishes what is in hand, and the standby goes on at once', async () => {
  const tenant = await world.makeTenant();
  await createAll(makeScans(tenant, 300));
  const standby = await world.startController();
  const leader = await vi.waitUntil(() => leads(standby) && standby, SOON);
  const next = await world.startController();
  await vi.waitUntil(async () => (await countScans(tenant)) >= 50, SOON);
  expect(await leader.end('SIGTERM')).toEqual({ code: 0, signal: null });
  await untilArchived(tenant);
  expect(leads(next)).toBe(true);
  expect(await findEffects(tenant)).toEqual(onceEach(300));
  await next.end('SIGTERM');
});

test('two that lead at once, which their lease is to prevent, have one effect all the same', async () => {
  const tenant = await world.makeTenant();
  await createAll(makeScans(tenant, 100));
  const otherLease = await freshNamespace({ kubeconfigPath });
  const leaders = await Promise.all([startLeader(), startLeader({ POD_NAMESPACE: otherLease })]);
  const more = makeScans(tenant, 200).slice(100);
  await createAll(more);
  await untilArchived(tenant);
  expect(await findEffects(tenant)).toEqual(onceEach(200));
  for (const leader of leaders) expect(await leader.end('SIGTERM')).toEqual({ code: 0, signal: null });
});

test('started again, it changes nothing that is as it should be', async () => {
  const tenant = await world.makeTenant();
  const scans = makeScans(tenant, 21);
  const first = await startLeader();
  await createAll(scans.slice(1));
  await untilArchived(tenant);
  await first.end('SIGTERM');
  const before = await listVersions(tenant);
  await startLeader();
  await createAll(scans.slice(0, 1));
  await untilArchived(tenant);
  const after = await listVersions(tenant);
  expect(new Map([...after].filter(([name]) => name !== 'scan-0'))).toEqual(before);
  expect(await findEffects(tenant)).toEqual(onceEach(21));
});
