import { randomBytes } from 'node:crypto';
import { expect, test, vi } from 'vitest';
import { freshDatabase } from '../../fixtures/database.ts';
import { ownKubernetes } from '../../fixtures/kubernetes.ts';
import { countRows } from '../store/rows.ts';
import { inParallel } from './in-parallel.ts';
import { type Answer, retrieve, store } from './runner.ts';
import { createWorld, type Tenant } from './world.ts';

const { url: databaseUrl } = await freshDatabase();
const { kubeconfigPath } = await ownKubernetes();
const world = await createWorld({ kubeconfigPath, databaseUrl });
const controller = await world.startController();

const SOON = { timeout: 20_000, interval: 50 };

/** Scans of one repository, each of a commit of its own; every fifth is too large for its PhaseRun. */
function makeScans({ owner }: Tenant, count: number) {
  return Array.from({ length: count }, (_, n) => ({
    phase: 'scan',
    repo: `${owner}/shop`,
    commitSha: `c${n}`,
    data: { n, text: randomBytes(n % 5 === 0 ? 10_000 : 100).toString('hex') },
  }));
}

type Scan = ReturnType<typeof makeScans>[number];

test('killed under load, it has lost nothing that it acknowledged, and whoever sends again loses nothing at all', async () => {
  const tenant = await world.makeTenant();
  const api = await world.startApi();
  const scans = makeScans(tenant, 200);
  const acknowledged: Scan[] = [];
  await inParallel(scans, 16, async (scan) => {
    const answer = await store(api, tenant, scan).catch(() => undefined);
    if (answer?.status === 200) acknowledged.push(scan);
    if (acknowledged.length === 60) await api.end('SIGKILL');
  });
  expect(acknowledged.length).toBeGreaterThanOrEqual(60);
  expect(acknowledged.length).toBeLessThan(scans.length);

  const another = await world.startApi();
  for (const { repo, commitSha, data } of acknowledged) {
    expect((await retrieve(another, tenant, { repo, commit: commitSha })).body).toEqual({ scan: data });
  }
  await inParallel(scans, 16, async (scan) => {
    expect((await store(another, tenant, scan)).status).toBe(200);
  });
  expect(await countRows(world.pool, 'scan_executions', tenant.customerId)).toBe(scans.length);
});

test('told to stop, it answers what is in flight, takes nothing more, and exits 0', async () => {
  const tenant = await world.makeTenant();
  const api = await world.startApi();
  // So that a store waits for a row that does not come.
  expect(await controller.end('SIGTERM')).toEqual({ code: 0, signal: null });
  const scans = makeScans(tenant, 5);
  const answers = Promise.all(scans.map((scan) => store(api, tenant, scan)));
  const { namespace } = tenant;
  const inFlight = async () => (await world.phaseRuns.list({ namespace })).length === scans.length;
  await vi.waitUntil(inFlight, SOON);
  const exit = api.end('SIGTERM');
  const refused = () =>
    fetch(`${api.url}/livez`).then(
      () => false,
      () => true,
    );
  await vi.waitUntil(refused, SOON);
  const persisted = ({ status, body }: Answer) => [status, body.success, body.persisted];
  expect((await answers).map(persisted)).toEqual(scans.map(() => [202, true, false]));
  expect(await exit).toEqual({ code: 0, signal: null });

  const [another] = await Promise.all([world.startApi(), world.startController()]);
  for (const { repo, commitSha, data } of scans) {
    const found = () => retrieve(another, tenant, { repo, commit: commitSha });
    await vi.waitFor(async () => expect((await found()).body).toEqual({ scan: data }), SOON);
  }
});
