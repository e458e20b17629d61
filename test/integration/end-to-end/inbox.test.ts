import { expect, test, vi } from 'vitest';
import { freshDatabase } from '../../fixtures/database.ts';
import { ownKubernetes } from '../../fixtures/kubernetes.ts';
import { countRows, listRows } from '../store/rows.ts';
import { store } from './runner.ts';
import { createWorld } from './world.ts';

const { url: databaseUrl } = await freshDatabase();
const kubernetes = await ownKubernetes();
const world = await createWorld({ kubeconfigPath: kubernetes.kubeconfigPath, databaseUrl });

const SOON = { timeout: 45_000, interval: 100 };

test('a replica that started while Kubernetes was away, and died after its answer, has lost nothing', async () => {
  const tenant = await world.makeTenant();
  const { customerId, namespace, owner } = tenant;
  const scan = { phase: 'scan', repo: `${owner}/shop`, commitSha: 'c0ffee', data: { n: 1 } };
  await kubernetes.killApiserver();
  const api = await world.startApi();
  const kept = await store(api, tenant, scan);
  expect(kept).toMatchObject({ status: 202, body: { persisted: false } });
  await api.end('SIGKILL');
  await kubernetes.restartApiserver();

  // Two of them: whichever leads finds it.
  await Promise.all([world.startController(), world.startController()]);
  const rows = await vi.waitFor(async () => {
    const found = await listRows(world.pool, 'scan', customerId);
    expect(found).toHaveLength(1);
    return found;
  }, SOON);
  expect(rows).toMatchObject([{ id: kept.body.id, phase_run_namespace: namespace, data: scan.data }]);
  await vi.waitFor(async () => expect(await countRows(world.pool, 'inbox_runs', customerId)).toBe(0), SOON);
  expect(await world.phaseRuns.list({ namespace })).toHaveLength(1);
});
