import { randomBytes, randomUUID } from 'node:crypto';
import { gzipSync } from 'node:zlib';
import { sql } from 'slonik';
import { expect, test } from 'vitest';
import { z } from 'zod';
import { digestOf } from '../../../src/domain/digest.ts';
import type { JsonObject } from '../../../src/domain/run.ts';
import { freshDatabase } from '../../fixtures/database.ts';
import { ownKubernetes } from '../../fixtures/kubernetes.ts';
import { appliedRuns, conditionOf } from '../end-to-end/applied-runs.ts';
import { countTransitions } from '../end-to-end/history.ts';
import { type Manifest, makeManifest } from '../end-to-end/manifests.ts';
import { createWorld, type Tenant } from '../end-to-end/world.ts';
import { listRows, listSessions } from '../store/rows.ts';

const { url: databaseUrl } = await freshDatabase();
const { kubeconfigPath } = await ownKubernetes();
const world = await createWorld({ kubeconfigPath, databaseUrl });
const { waitFor } = appliedRuns(world);

/** A run as the API makes it. */
function ordered(tenant: Tenant, order: number, changes: { spec?: JsonObject; result?: JsonObject } = {}) {
  const attributed = { runId: randomUUID(), customerId: tenant.customerId, order };
  return makeManifest(tenant, `run-${order}`, { ...changes, spec: { ...attributed, ...changes.spec } });
}

/** Creates them one after another while no controller runs, then has one work through them. */
async function workThrough(manifests: readonly Manifest[]) {
  for (const manifest of manifests) await world.phaseRuns.create({ ...manifest });
  const controller = await world.startController();
  const archived = [];
  for (const manifest of manifests) archived.push(await waitFor(manifest, 'Archived', 'True'));
  await controller.end('SIGTERM');
  return archived;
}

const newestFirst = async ({ customerId }: Tenant) =>
  (await listRows(world.pool, 'validation', customerId)).map((row) => row.data);

test('runs with a place are taken by place, before those without one, which follow as they were created', async () => {
  const tenant = await world.makeTenant();
  const content = (letter: string) => ({ result: { data: { letter } } });
  await workThrough([
    makeManifest(tenant, 'z-first-applied', content('d')),
    makeManifest(tenant, 'a-then-applied', content('e')),
    ordered(tenant, 3, content('c')),
    ordered(tenant, 1, content('a')),
    ordered(tenant, 2, content('b')),
  ]);
  expect(await newestFirst(tenant)).toEqual(['e', 'd', 'c', 'b', 'a'].map((letter) => ({ letter })));
});

test('of a backlog that is larger than the controller keeps in memory each run has its own payload, and its turn', async () => {
  const tenant = await world.makeTenant();
  const payloads = Array.from({ length: 16 }, (_, n) => ({
    n,
    noise: randomBytes(550_000).toString('base64'),
  }));
  const manifests = payloads.map((payload, n) => {
    const dataGzip = gzipSync(JSON.stringify(payload)).toString('base64');
    return ordered(tenant, n + 1, { result: { data: undefined, dataGzip } });
  });
  const archived = await workThrough(manifests);
  expect(archived.map(({ status }) => status?.archive?.sha256)).toEqual(
    payloads.map((payload) => digestOf(payload).sha256),
  );
  expect(await newestFirst(tenant)).toMatchObject(payloads.map(({ n }) => ({ n })).toReversed());
});

test('equal neighbours are one row, which the receipts of all name', async () => {
  const tenant = await world.makeTenant();
  const archived = await workThrough([1, 2, 3].map((order) => ordered(tenant, order)));
  const [row, ...others] = await listRows(world.pool, 'validation', tenant.customerId);
  expect(others).toEqual([]);
  expect(archived.map(({ status }) => status?.archive?.executionId)).toEqual(Array(3).fill(row?.id));
  expect(archived.map((phaseRun) => conditionOf(phaseRun, 'Archived')?.reason)).toEqual([
    'Stored',
    'Duplicate',
    'Duplicate',
  ]);
});

test('an issue is proven and fixed in one session, whose end later work does not undo', async () => {
  const tenant = await world.makeTenant();
  const fixed = { spec: { phase: 'mitigation' }, result: { data: { fixed: true } } };
  const archived = await workThrough([
    ordered(tenant, 2, fixed),
    ordered(tenant, 1),
    ordered(tenant, 3, { result: { status: 'running', data: { again: true } } }),
  ]);
  const [first, second] = await listSessions(world.pool, tenant.customerId);
  expect([first?.status, first?.outcome, second?.status]).toEqual(['completed', 'fixed', 'active']);
  expect(archived.map(({ status }) => status?.session?.id)).toEqual([first?.id, first?.id, second?.id]);
  expect(await countTransitions(world.pool, tenant.customerId)).toEqual({
    'none → pending': 2,
    'pending → active': 2,
    'active → completed': 1,
  });
});

test('a run that was purged or deleted is not stored again', async () => {
  const tenant = await world.makeTenant();
  const purged = ordered(tenant, 1);
  const deleted = ordered(tenant, 2, { spec: { issueNumber: 2 } });
  for (const [{ spec }, reason] of [
    [purged, 'purged'],
    [deleted, 'deleted'],
  ] as const) {
    await world.pool.query(sql.type(z.object({}))`
      INSERT INTO run_tombstones (run_id, customer_id, reason, sha256)
      VALUES (${String(spec['runId'])}, ${tenant.customerId}, ${reason}, decode(repeat('00', 32), 'hex'))
    `);
  }
  const archived = await workThrough([purged, deleted]);
  expect(archived.map((phaseRun) => conditionOf(phaseRun, 'Archived')?.reason)).toEqual([
    'Purged',
    'Deleted',
  ]);
  expect(archived.map((phaseRun) => conditionOf(phaseRun, 'SessionAdvanced')?.reason)).toEqual([
    'NoSession',
    'NoSession',
  ]);
  expect(await newestFirst(tenant)).toEqual([]);
});
