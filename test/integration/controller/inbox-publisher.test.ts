import { randomUUID } from 'node:crypto';
import { pino } from 'pino';
import { sql } from 'slonik';
import { afterAll, beforeEach, expect, inject, test } from 'vitest';
import { z } from 'zod';
import { createInboxJobs } from '../../../src/controller/inbox-publisher.ts';
import { phaseRunName, slotOf } from '../../../src/domain/slot.ts';
import { createKubeClient } from '../../../src/kube/client.ts';
import { createPhaseRunWriter, type PhaseRunWriter } from '../../../src/kube/phase-run-writer.ts';
import { NAMESPACES, type Namespace } from '../../../src/resources/namespace-binding.ts';
import { PHASE_RUNS, type PhaseRun } from '../../../src/resources/phase-run.ts';
import { archiveRun } from '../../../src/store/archive.ts';
import { drawRunOrder } from '../../../src/store/slots.ts';
import { createMetrics } from '../../../src/telemetry/metrics.ts';
import { freshDatabase } from '../../fixtures/database.ts';
import { freshNamespace } from '../../fixtures/kubernetes.ts';
import { makeCustomer, makeRun, openDatabase, repository } from '../store/builders.ts';
import { keepInbox } from '../store/inbox-rows.ts';
import { countRows } from '../store/rows.ts';

const logger = pino({ level: 'silent' });
const { url } = await freshDatabase();
const database = await openDatabase(url);
const { pool } = database;
const client = createKubeClient({ kind: 'kubeconfig', path: inject('kubeconfigPath') }, { logger });
afterAll(async () => {
  await client.close();
  await database.close();
});
const resource = client.resource<PhaseRun>(PHASE_RUNS);

let customerId: string;
/** Bound to the customer. */
let namespace: string;
beforeEach(async () => {
  ({ customerId } = await makeCustomer(pool));
  namespace = await freshNamespace({ customerId });
});

/** One round of a leader of its own. */
async function publish(phaseRuns: PhaseRunWriter = createPhaseRunWriter(client)): Promise<void> {
  const [job] = createInboxJobs({
    pool,
    phaseRuns,
    namespaces: client.resource<Namespace>(NAMESPACES),
    defaultNamespace: 'default',
    metrics: createMetrics({ defaultMetrics: false }),
    logger,
  });
  await job?.run(new AbortController().signal);
}

const phaseRuns = () => resource.list({ namespace });
const slot = slotOf({ phase: 'validation', repository: repository(), issueNumber: 1204 });
const waiting = () => countRows(pool, 'inbox_runs', customerId);

test('a store with no namespace goes where the customer is bound, and says all of it', async () => {
  const data = { nested: [{ n: 1 }], nothing: null };
  const store = await keepInbox(pool, {
    customerId,
    data,
    apiKeyId: 'key',
    request: { pipelineRunId: '42' },
  });
  await publish();
  expect(await phaseRuns()).toMatchObject([
    {
      metadata: {
        name: phaseRunName(slot, store.order),
        annotations: { 'phases.rsolv.dev/api-key-id': 'key' },
      },
      spec: {
        runId: store.storeId,
        customerId,
        order: store.order,
        pipelineRunId: '42',
        result: { status: 'completed', data },
      },
    },
  ]);
  expect(await waiting()).toBe(0);
});

test('a namespace that is gone is replaced by the one that is there', async () => {
  await keepInbox(pool, { customerId, namespace: 'no-such-namespace' });
  await publish();
  expect(await phaseRuns()).toHaveLength(1);
});

test('a store that was published, and not taken out of the inbox, is published once', async () => {
  const store = await keepInbox(pool, { customerId });
  await publish();
  await keepInbox(pool, { ...store, request: store.request, data: { validated: true } });
  await publish();
  expect(await phaseRuns()).toMatchObject([{ spec: { runId: store.storeId } }]);
  expect(await waiting()).toBe(0);
});

test('a store whose PhaseRun is gone and whose row is there is done', async () => {
  const run = makeRun({ customerId });
  await archiveRun(pool, run);
  await keepInbox(pool, { customerId, storeId: run.runId });
  await publish();
  expect(await phaseRuns()).toEqual([]);
  expect(await waiting()).toBe(0);
});

test('a slot that takes long holds up no other, nor what comes for it meanwhile', async () => {
  const slow = await keepInbox(pool, { customerId });
  await keepInbox(pool, { customerId, request: { issueNumber: 1 } });
  const writer = createPhaseRunWriter(client);
  const { promise: gate, resolve: open } = Promise.withResolvers<void>();
  let quick = 0;
  await publish({
    ...writer,
    async create(draft, deadline) {
      if (draft.spec.runId === slow.storeId) await gate;
      else if (++quick === 2) open();
      else await keepInbox(pool, { customerId, data: { n: 2 }, request: { issueNumber: 1 } });
      return writer.create(draft, deadline);
    },
  });
  expect(await waiting()).toBe(0);
  expect(await phaseRuns()).toHaveLength(3);
});

test('many leaders at once publish each store once, at its place', async () => {
  const stores = [];
  for (let n = 0; n < 20; n += 1) {
    stores.push(await keepInbox(pool, { customerId, data: { n }, request: { issueNumber: 1 + (n % 4) } }));
  }
  await Promise.all([1, 2, 3, 4].map(() => publish()));
  await publish();
  expect(await waiting()).toBe(0);
  const runs = await phaseRuns();
  expect(runs).toHaveLength(stores.length);
  expect(new Set(runs.map(({ spec }) => spec.runId))).toEqual(new Set(stores.map(({ storeId }) => storeId)));
  expect(new Set(runs.map(({ spec }) => spec.order))).toEqual(new Set(stores.map(({ order }) => order)));
});

test('a run that began and ended in the inbox is one run', async () => {
  const begun = await keepInbox(pool, { customerId, request: { status: 'running' }, data: { old: true } });
  const ended = await keepInbox(pool, {
    customerId,
    runId: begun.runId,
    isRunSeen: true,
    data: { done: true },
  });
  await publish();
  expect(await phaseRuns()).toMatchObject([
    {
      spec: {
        runId: begun.runId,
        order: begun.order,
        result: { status: 'completed', order: ended.order, data: { done: true } },
      },
    },
  ]);
});

test('a run that is a PhaseRun and no row yet is found by its id', async () => {
  const begun = await keepInbox(pool, { customerId, request: { status: 'running' } });
  await publish();
  await keepInbox(pool, { customerId, runId: begun.runId, data: { done: true } });
  await publish();
  expect(await phaseRuns()).toMatchObject([
    { spec: { runId: begun.runId, result: { status: 'completed', data: { done: true } } } },
  ]);
});

test('a run whose PhaseRun is gone is moved forward by another of the same run', async () => {
  const run = makeRun({ customerId, status: 'running' });
  await archiveRun(pool, run);
  const known = { runId: run.runId, namespace, phaseRunName: 'gone', isRunSeen: true };
  await keepInbox(pool, { customerId, ...known });
  await publish();
  expect(await phaseRuns()).toMatchObject([{ spec: { runId: run.runId, result: { status: 'completed' } } }]);
});

test.each([
  { name: 'that has ended otherwise', other: { completed: 'otherwise' }, want: 'own' },
  { name: 'that has ended so', other: { validated: true }, want: 'none' },
])('a store that moves a run $name is kept', async ({ other, want }) => {
  const ended = await keepInbox(pool, { customerId, data: other });
  await publish();
  const moving = await keepInbox(pool, { customerId, runId: ended.runId, isRunSeen: true });
  await publish();
  const ids = new Set((await phaseRuns()).map(({ spec }) => spec.runId));
  expect(ids).toEqual(new Set([ended.storeId, ...(want === 'own' ? [moving.storeId] : [])]));
  expect(await waiting()).toBe(0);
});

test.each([
  { name: 'nobody has', owner: undefined },
  { name: 'another customer has', owner: 'stranger' },
])('a store that names a run which $name becomes a run of its own', async ({ owner }) => {
  const runId = randomUUID();
  if (owner !== undefined) {
    const stranger = await makeCustomer(pool);
    await archiveRun(pool, makeRun({ customerId: stranger.customerId, runId, status: 'running' }));
  }
  const store = await keepInbox(pool, { customerId, runId });
  await publish();
  expect(await phaseRuns()).toMatchObject([{ spec: { runId: store.storeId } }]);
});

test('a place whose name somebody has occupied is left, and the next one taken, before what came later', async () => {
  const order = await drawRunOrder(pool);
  await resource.create({
    metadata: { namespace, name: phaseRunName(slot, order) },
    spec: {
      phase: 'scan',
      forge: 'github',
      repo: 'acme/other',
      commitSha: 'c',
      result: { status: 'completed' },
    },
  });
  await keepInbox(pool, { customerId, order });
  const later = await keepInbox(pool, { customerId, data: { later: true } });
  await publish();
  const orders = (await phaseRuns()).flatMap(({ spec }) => spec.order ?? []);
  expect(new Set(orders)).toEqual(new Set([order + 1, later.order]));
});

test('what Kubernetes refuses for its content is quarantined, and holds up nothing', async () => {
  const refused = await keepInbox(pool, { customerId, request: { branch: 'x'.repeat(100_000) } });
  const next = await keepInbox(pool, { customerId });
  await publish();
  expect(await phaseRuns()).toMatchObject([{ spec: { runId: next.storeId } }]);
  const row = z.object({ run_id: z.string(), message: z.string() });
  expect(
    await pool.any(
      sql.type(row)`SELECT run_id, message FROM quarantined_runs WHERE customer_id = ${customerId}`,
    ),
  ).toEqual([{ run_id: refused.storeId, message: expect.stringContaining('branch') }]);
});
