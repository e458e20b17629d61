import { sql } from 'slonik';
import { expect, test, vi } from 'vitest';
import { z } from 'zod';
import { freshDatabase } from '../../fixtures/database.ts';
import { ownKubernetes } from '../../fixtures/kubernetes.ts';
import type { RoleProcess } from '../../fixtures/processes.ts';
import { countRows } from '../store/rows.ts';
import { countAudited, countTransitions } from './history.ts';
import { inParallel } from './in-parallel.ts';
import { makeManifest } from './manifests.ts';
import { createWorld, type Tenant } from './world.ts';

const { url: databaseUrl } = await freshDatabase();
const { kubeconfigPath } = await ownKubernetes();
const world = await createWorld({ kubeconfigPath, databaseUrl });

const SOON = { timeout: 45_000, interval: 20 };
/** What is promised: how long nobody leads after a leader has been told to stop, and after it was killed. */
const TOLD_TO_STOP_MS = 2_000;
const KILLED_MS = 20_000;

const leads = (controller: RoleProcess) => controller.log().includes('"msg":"leading"');

/** The first of them leads, the second stands by. */
async function startPair(): Promise<readonly [RoleProcess, RoleProcess]> {
  const leader = await world.startController();
  await vi.waitUntil(() => leads(leader), SOON);
  return [leader, await world.startController()];
}

async function createScans(tenant: Tenant, count: number): Promise<void> {
  const names = Array.from({ length: count }, (_, n) => n);
  await inParallel(names, 16, async (n) => {
    const spec = { phase: 'scan', commitSha: `c${n}`, repo: `${tenant.owner}/repo-${n % 7}` };
    const manifest = makeManifest(tenant, `scan-${n}`, { spec, result: { data: { vulnerabilities: [n] } } });
    await world.phaseRuns.create({ ...manifest });
  });
}

const countScans = ({ customerId }: Tenant) => countRows(world.pool, 'scan_executions', customerId);

async function listVersions({ namespace }: Tenant): Promise<readonly string[]> {
  const phaseRuns = await world.phaseRuns.list({ namespace });
  return phaseRuns.map(({ metadata: { name, resourceVersion } }) => `${name}@${resourceVersion}`).toSorted();
}

const untilArchived = ({ namespace }: Tenant) =>
  vi.waitUntil(
    async () =>
      (await world.phaseRuns.list({ namespace })).every(({ status }) => status?.archive !== undefined),
    { ...SOON, interval: 250 },
  );

/** Transactions of controllers that nobody goes on with at this moment. */
async function countIdleInTransaction(): Promise<number> {
  const { n } = await world.pool.one(sql.type(z.object({ n: z.number() }))`
    SELECT count(*) AS n FROM pg_stat_activity
    WHERE datname = current_database() AND application_name = 'phaserun-controller'
      AND state = 'idle in transaction'
  `);
  return n;
}

async function findEffects(tenant: Tenant) {
  return {
    rows: await countScans(tenant),
    transitions: await countTransitions(world.pool, tenant.customerId),
    audited: await countAudited(world.pool, tenant.customerId),
  };
}

const onceEach = (count: number) => ({
  rows: count,
  transitions: { 'none → pending': count, 'pending → active': count, 'active → completed': count },
  audited: { 'phaserun.inserted': count },
});

/** Freezes it in the middle of its work, with a transaction open. */
async function freezeAtWork(leader: RoleProcess): Promise<void> {
  for (;;) {
    leader.freeze();
    if ((await countIdleInTransaction()) > 0) return;
    leader.thaw();
    await vi.waitUntil(async () => (await countIdleInTransaction()) > 0, { ...SOON, interval: 1 });
  }
}

test('a leader that was frozen at its work holds up nobody, and writes nothing once it is thawed', async () => {
  const tenant = await world.makeTenant();
  const [frozen, standby] = await startPair();
  const creating = createScans(tenant, 400);
  await vi.waitUntil(async () => (await countScans(tenant)) >= 50, SOON);
  await freezeAtWork(frozen);
  expect(await countScans(tenant)).toBeLessThan(400);
  await creating;
  await untilArchived(tenant);
  expect(leads(standby)).toBe(true);
  expect(await findEffects(tenant)).toEqual(onceEach(400));
  const before = await listVersions(tenant);
  frozen.thaw();
  await vi.waitUntil(() => frozen.log().includes('"msg":"no longer leading"'), SOON);
  expect(await findEffects(tenant)).toEqual(onceEach(400));
  expect(await listVersions(tenant)).toEqual(before);
  for (const controller of [standby, frozen])
    expect(await controller.end('SIGTERM')).toEqual({ code: 0, signal: null });
});

test.each([
  { how: 'told to stop', signal: 'SIGTERM', withinMs: TOLD_TO_STOP_MS },
  { how: 'killed', signal: 'SIGKILL', withinMs: KILLED_MS },
] as const)(
  'a leader that is $how at its work is followed within $withinMs ms',
  async ({ signal, withinMs }) => {
    const tenant = await world.makeTenant();
    const [leader, standby] = await startPair();
    const creating = createScans(tenant, 200);
    await vi.waitUntil(async () => (await countScans(tenant)) >= 20, SOON);
    const ended = leader.end(signal);
    const endedAt = performance.now();
    await vi.waitUntil(() => leads(standby), { timeout: withinMs, interval: 10 });
    expect(performance.now() - endedAt).toBeLessThan(withinMs);
    await Promise.all([ended, creating]);
    await untilArchived(tenant);
    expect(await findEffects(tenant)).toEqual(onceEach(200));
    await standby.end('SIGTERM');
  },
);
