import { sql } from 'slonik';
import { expect, test, vi } from 'vitest';
import { z } from 'zod';
import { freshDatabase } from '../../fixtures/database.ts';
import { ownKubernetes } from '../../fixtures/kubernetes.ts';
import { countRows } from '../store/rows.ts';
import { appliedRuns, conditionOf, SOON } from './applied-runs.ts';
import { makeManifest } from './manifests.ts';
import { createWorld } from './world.ts';

const { url: databaseUrl } = await freshDatabase();
const { kubeconfigPath } = await ownKubernetes();
const world = await createWorld({ kubeconfigPath, databaseUrl });
const { applyAndArchive, apply } = appliedRuns(world);
const nothing = z.object({});

test('a PhaseRun that lives for ever does not bring back what was purged, and keeps its tombstone', async () => {
  const tenant = await world.makeTenant();
  const manifest = makeManifest(tenant, 'for-ever');
  const first = await world.startController();
  const { metadata } = await applyAndArchive(manifest);
  await world.pool.query(sql.type(nothing)`
    UPDATE validation_executions SET updated_at = now() - interval '366 days' WHERE id = ${metadata.uid}
  `);
  await first.end('SIGTERM');

  const second = await world.startController();
  const rows = () => countRows(world.pool, 'validation_executions', tenant.customerId);
  const tombstones = () => countRows(world.pool, 'run_tombstones', tenant.customerId);
  await vi.waitFor(async () => expect([await rows(), await tombstones()]).toEqual([0, 1]), SOON);

  const touched = makeManifest(tenant, 'for-ever', { spec: { ttlSecondsAfterArchived: 604_800 } });
  expect(await apply(touched)).toMatchObject({ ok: true });
  await vi.waitFor(async () => {
    const condition = conditionOf(await world.phaseRuns.get(metadata), 'Archived');
    expect(condition).toMatchObject({ status: 'True', reason: 'Purged' });
  }, SOON);

  // Old by then; but the object lives.
  await world.pool.query(
    sql.type(nothing)`UPDATE run_tombstones SET created_at = now() - interval '400 days'`,
  );
  await second.end('SIGTERM');
  const third = await world.startController();
  await vi.waitFor(async () => {
    const metrics = await (await fetch(`${third.url}/metrics`)).text();
    expect(metrics).toMatch(/phaserun_retention_last_success_timestamp_seconds\{kind="tombstones"\} 1/);
  }, SOON);
  expect([await rows(), await tombstones()]).toEqual([0, 1]);
});
