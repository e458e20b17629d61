import { sql } from 'slonik';
import { expect, test, vi } from 'vitest';
import { z } from 'zod';
import { freshDatabase } from '../../fixtures/database.ts';
import { ownKubernetes } from '../../fixtures/kubernetes.ts';
import { appliedRuns } from '../end-to-end/applied-runs.ts';
import { makeManifest } from '../end-to-end/manifests.ts';
import { retrieve, store } from '../end-to-end/runner.ts';
import { createWorld, type Tenant } from '../end-to-end/world.ts';
import { dumpDatabase } from './dump.ts';

const { url: databaseUrl } = await freshDatabase();
const { kubeconfigPath } = await ownKubernetes();
const world = await createWorld({ kubeconfigPath, databaseUrl });
const { applyAndArchive } = appliedRuns(world);

/** How long what happens by itself is waited for. */
const SOON = { timeout: 60_000, interval: 100 };
const DRILL_MS = 180_000;

const COMMIT = 'c0ffee';

function makeRunner(api: { readonly url: string }, tenant: Tenant) {
  const repo = `${tenant.owner}/shop`;
  const subject = (issueNumber: number) => ({ repo, issueNumber, commitSha: COMMIT });
  return {
    validate: (issue: number, n: number) =>
      store(api, tenant, { phase: 'validation', ...subject(issue), data: { validated: true, n } }),
    mitigate: (issue: number, n: number) =>
      store(api, tenant, { phase: 'mitigation', ...subject(issue), data: { fixed: true, n } }),
    async newest(issue: number) {
      const { body } = await retrieve(api, tenant, { repo, issue: String(issue), commit: COMMIT });
      const key = `issue-${issue}`;
      return { validation: body.validation?.[key]?.n, mitigation: body.mitigation?.[key]?.n };
    },
  };
}

/** As somebody applies it by hand: its place is in no field of its spec. */
const apply = (tenant: Tenant, name: string, n: number) =>
  applyAndArchive(
    makeManifest(tenant, name, { spec: { issueNumber: 2 }, result: { data: { validated: true, n } } }),
  );

const row = z.object({ id: z.string(), order: z.number(), n: z.number(), session: z.string() });

/** Every row with its place and its session, by what the session is about and where it stands. */
function listRows({ customerId }: Tenant) {
  return world.pool.any(sql.type(row)`
    SELECT e.id, e.run_order AS "order", (e.data ->> 'n')::integer AS n, s.subject || ' ' || s.status AS session
    FROM (
      SELECT id, customer_id, run_order, data, session_id FROM validation_executions
      UNION ALL SELECT id, customer_id, run_order, data, session_id FROM mitigation_executions
    ) AS e JOIN sessions s ON s.id = e.session_id
    WHERE e.customer_id = ${customerId} ORDER BY e.run_order
  `);
}

/** Each session with the steps that were recorded of it. */
async function listSteps({ customerId }: Tenant) {
  const steps = z.object({ session: z.string(), steps: z.array(z.string()) });
  return world.pool.any(sql.type(steps)`
    SELECT s.subject AS session, array_agg(t.to_state ORDER BY t.created_at)::text[] AS steps
    FROM sessions s JOIN session_transitions t ON t.session_id = s.id
    WHERE s.customer_id = ${customerId} GROUP BY s.id, s.subject ORDER BY s.subject
  `);
}

const snapshot = async (tenant: Tenant) => ({ rows: await listRows(tenant), steps: await listSteps(tenant) });

async function incarnation(): Promise<string> {
  const current = z.object({ name: z.string() });
  return (await world.pool.one(sql.type(current)`SELECT database_incarnation() AS name`)).name;
}

const listPhaseRuns = ({ namespace }: Tenant) => world.phaseRuns.list({ namespace });

/** Waits until the receipt of every PhaseRun is of the database that is there now. */
const untilArchivedAgain = (tenant: Tenant) =>
  vi.waitFor(async () => {
    const current = await incarnation();
    const receipts = (await listPhaseRuns(tenant)).map(({ status }) => status?.archive?.incarnation);
    expect(new Set(receipts)).toEqual(new Set([current]));
  }, SOON);

test('after a restore all that etcd still holds is archived again: same rows, same places, same sessions, once', {
  timeout: DRILL_MS,
}, async () => {
  const tenant = await world.makeTenant();
  const api = await world.startApi();
  let controller = await world.startController();
  const runner = makeRunner(api, tenant);
  await runner.validate(1, 1);
  await apply(tenant, 'applied-1', 1);
  await apply(tenant, 'applied-2', 2);
  const dump = await dumpDatabase(databaseUrl);

  await vi.waitFor(async () => expect(await runner.validate(1, 3)).toMatchObject({ status: 200 }), SOON);
  expect(await runner.mitigate(1, 4)).toMatchObject({ status: 200 });
  await apply(tenant, 'applied-3', 5);
  await apply(tenant, 'applied-4', 6);
  expect(await runner.validate(9, 7)).toMatchObject({ status: 200 });
  // What is gone from etcd when the dump is restored is lost, and nothing else is.
  const lost = (await listRows(tenant)).find(({ n }) => n === 7);
  const itsObject = (await listPhaseRuns(tenant)).find(({ spec }) => spec.runId === lost?.id);
  if (itsObject === undefined) throw new Error('the run of issue 9 is not there');
  // A store is answered before the PhaseRun says that it is archived, and until then no one may delete it.
  await vi.waitFor(() => world.phaseRuns.delete(itsObject.metadata), SOON);
  const before = await snapshot(tenant);
  const kept = {
    rows: before.rows.filter(({ id }) => id !== lost?.id),
    steps: before.steps.filter(({ session }) => session !== 'issue/9'),
  };
  const greatest = Math.max(...before.rows.map(({ order }) => order));

  // With nobody there to archive, and the API on its old connections.
  await controller.end('SIGTERM');
  await dump.restore();
  const stored = await vi.waitFor(async () => {
    const answer = await runner.validate(3, 8);
    expect(answer.status).toBe(202);
    return answer;
  }, SOON);
  expect(stored.body).toMatchObject({ persisted: false });
  const stores = (await listPhaseRuns(tenant)).filter(({ spec }) => spec.issueNumber === 3);
  expect(stores.map(({ spec }) => (spec.order ?? 0) > greatest)).toEqual(stores.map(() => true));
  controller = await world.startController();
  await untilArchivedAgain(tenant);
  const after = await snapshot(tenant);
  expect({
    rows: after.rows.filter(({ n }) => n !== 8),
    steps: after.steps.filter(({ session }) => session !== 'issue/3'),
  }).toEqual(kept);
  expect(await runner.newest(1)).toEqual({ validation: 3, mitigation: 4 });
  expect(await runner.newest(2)).toMatchObject({ validation: 6 });
  expect(await runner.newest(3)).toMatchObject({ validation: 8 });
  expect(await runner.newest(9)).toMatchObject({ validation: undefined });

  // Once more under a controller at work, which finds out by itself.
  await dump.restore();
  await untilArchivedAgain(tenant);
  expect(await snapshot(tenant)).toEqual(after);
  await vi.waitFor(async () => expect(await runner.validate(2, 10)).toMatchObject({ status: 200 }), SOON);
  expect(await runner.newest(2)).toMatchObject({ validation: 10 });
  await controller.end('SIGTERM');
});

test('an earlier state of the files, which Postgres takes for its own, counts as another database once it is said', {
  timeout: DRILL_MS,
}, async () => {
  const tenant = await world.makeTenant();
  const controller = await world.startController();
  await apply(tenant, 'applied', 1);
  const before = await snapshot(tenant);
  await world.pool.query(sql.type(z.object({}))`
    DELETE FROM validation_executions WHERE customer_id = ${tenant.customerId}
  `);
  await world.pool.query(
    sql.type(z.object({}))`DELETE FROM sessions WHERE customer_id = ${tenant.customerId}`,
  );
  const restored = await incarnation();
  await world.pool.query(sql.type(z.object({}))`UPDATE leadership SET restored_at = now()`);
  expect(await incarnation()).not.toBe(restored);
  await untilArchivedAgain(tenant);
  expect(await snapshot(tenant)).toEqual(before);
  await controller.end('SIGTERM');
});
