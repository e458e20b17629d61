import { sql } from 'slonik';
import { describe, expect, test, vi } from 'vitest';
import { z } from 'zod';
import type { PhaseRun } from '../../../src/resources/phase-run.ts';
import { freshDatabase } from '../../fixtures/database.ts';
import { freshNamespace, ownKubernetes } from '../../fixtures/kubernetes.ts';
import { appliedRuns, SOON } from '../end-to-end/applied-runs.ts';
import { countAudited, countTransitions } from '../end-to-end/history.ts';
import { type Manifest, makeManifest } from '../end-to-end/manifests.ts';
import { createWorld } from '../end-to-end/world.ts';
import { listRows } from '../store/rows.ts';

const { url: databaseUrl } = await freshDatabase();
const { kubeconfigPath } = await ownKubernetes();
const world = await createWorld({ kubeconfigPath, databaseUrl });
const MAX_ARCHIVED = 5;
/** Seconds in which a test sees what a run has become before it goes. */
const TIME_TO_LOOK = 4;
await world.startController({ MAX_ARCHIVED_PHASERUNS: String(MAX_ARCHIVED) });
const { applyAndArchive, applyAndReject, waitFor } = appliedRuns(world);

const namesIn = async (namespace: string) =>
  (await world.phaseRuns.list({ namespace })).map(({ metadata }) => metadata.name).toSorted();
const untilLeft = (namespace: string, names: readonly string[]) =>
  vi.waitFor(async () => expect(await namesIn(namespace)).toEqual(names), SOON);
const rowIds = async (customerId: string) =>
  (await listRows(world.pool, 'validation', customerId)).map(({ id }) => id);

describe('an archived run', () => {
  test('goes when its time has come, and its row stays', async () => {
    const tenant = await world.makeTenant();
    const spec = (issueNumber: number, ttlSecondsAfterArchived?: number) => ({
      issueNumber,
      ttlSecondsAfterArchived,
    });
    const kept = [
      makeManifest(tenant, 'for-ever', { spec: spec(1) }),
      makeManifest(tenant, 'for-an-hour', { spec: spec(2, 3_600) }),
      makeManifest(tenant, 'running', { spec: spec(3, 0), result: { status: 'running' } }),
    ];
    for (const manifest of kept) await applyAndArchive(manifest);
    const unbound = await freshNamespace({ kubeconfigPath });
    await applyAndReject(makeManifest(tenant, 'waiting', { namespace: unbound, spec: spec(4, 0) }));
    await applyAndReject(
      makeManifest(tenant, 'refused', { spec: spec(5, TIME_TO_LOOK), result: { data: { a: '\0' } } }),
    );
    const gone = await applyAndArchive(makeManifest(tenant, 'for-a-moment', { spec: spec(6, TIME_TO_LOOK) }));

    await untilLeft(tenant.namespace, ['for-an-hour', 'for-ever', 'running']);
    expect(await namesIn(unbound)).toEqual(['waiting']);
    expect(await rowIds(tenant.customerId)).toHaveLength(kept.length + 1);
    expect(await rowIds(tenant.customerId)).toContain(gone.metadata.uid);
  });

  test('goes before its time when there are too many, the oldest first', async () => {
    const tenant = await world.makeTenant();
    const names = Array.from({ length: MAX_ARCHIVED + 2 }, (_, n) => `run-${n}`);
    for (const [n, name] of names.entries()) {
      await applyAndArchive(
        makeManifest(tenant, name, { spec: { issueNumber: n + 1, ttlSecondsAfterArchived: 7 * 86_400 } }),
      );
    }
    // One of another tenant may stand among them, which has less time left.
    await vi.waitFor(async () => expect(await namesIn(tenant.namespace)).toEqual(names.slice(2)), SOON);
    expect(await rowIds(tenant.customerId)).toHaveLength(names.length);
  });

  test('whose row is missing is archived again instead, and goes later', async () => {
    const tenant = await world.makeTenant();
    const run = makeManifest(tenant, 'missing', { spec: { ttlSecondsAfterArchived: TIME_TO_LOOK } });
    const archived = await applyAndArchive(run);
    await deleteRow(archived);
    expect(await rowIds(tenant.customerId)).toEqual([]);

    await untilLeft(tenant.namespace, []);
    expect(await rowIds(tenant.customerId)).toEqual([archived.metadata.uid]);
    expect(await countAudited(world.pool, tenant.customerId)).toEqual({ 'phaserun.inserted': 2 });
    // The session was where it is to be already.
    expect(await countTransitions(world.pool, tenant.customerId)).toEqual({
      'none → pending': 1,
      'pending → active': 1,
    });
  });
});

describe('a receipt of another database', () => {
  test('proves nothing: every run is archived again', async () => {
    const tenant = await world.makeTenant();
    const manifests: readonly Manifest[] = [1, 2, 3].map((issueNumber) =>
      makeManifest(tenant, `run-${issueNumber}`, { spec: { issueNumber } }),
    );
    const archived: PhaseRun[] = [];
    for (const manifest of manifests) archived.push(await applyAndArchive(manifest));
    const [lost] = archived;
    if (lost !== undefined) await deleteRow(lost);
    await world.pool.query(sql.type(z.object({}))`
      CREATE OR REPLACE FUNCTION database_incarnation() RETURNS text LANGUAGE sql RETURN 'restored'
    `);
    for (const manifest of manifests) {
      await vi.waitFor(
        async () => {
          const { status } = await waitFor(manifest, 'Archived', 'True');
          expect(status?.archive?.incarnation).toBe('restored');
        },
        { timeout: 50_000, interval: 500 },
      );
    }
    expect((await rowIds(tenant.customerId)).toSorted()).toEqual(
      archived.map(({ metadata }) => metadata.uid).toSorted(),
    );
  });
});

async function deleteRow({ metadata }: PhaseRun): Promise<void> {
  await world.pool.query(
    sql.type(z.object({}))`DELETE FROM validation_executions WHERE id = ${metadata.uid}`,
  );
}
