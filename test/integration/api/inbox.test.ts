import { randomBytes, randomUUID } from 'node:crypto';
import { describe, expect, test, vi } from 'vitest';
import { phaseRunName, slotOf } from '../../../src/domain/slot.ts';
import { parseStoreRequest } from '../../../src/domain/store-request.ts';
import { drawRunOrder } from '../../../src/store/slots.ts';
import { freshDatabase } from '../../fixtures/database.ts';
import { freshNamespace, ownKubernetes } from '../../fixtures/kubernetes.ts';
import { countRows, listRows } from '../store/rows.ts';
import { makeTenant, retrieve, send, startApi, startController, store } from './api-under-test.ts';
import { publisherOf } from './publisher-under-test.ts';

const kubernetes = await ownKubernetes();
const { kubeconfigPath } = kubernetes;
const { url: databaseUrl } = await freshDatabase();
const namespace = await freshNamespace({ kubeconfigPath });
const api = await startApi({ kubeconfigPath, databaseUrl, namespace });
await startController({ kubeconfigPath, databaseUrl });
const publish = publisherOf(api);
const tenant = await makeTenant(api.pool);
const { customerId } = tenant;

const SOON = { timeout: 45_000, interval: 100 };

/** What is asked of one issue of a repository that no other test uses. */
function freshIssue() {
  const repo = `${tenant.owner}/repo-${randomBytes(4).toString('hex')}`;
  const body = (overrides: object = {}) => ({
    phase: 'validation',
    repo,
    issueNumber: 7,
    commitSha: 'c0ffee',
    data: { validated: true },
    ...overrides,
  });
  const untilRetrieved = (want: object) =>
    vi.waitFor(async () => {
      const known = await retrieve(api, tenant, { repo, issue: '7' });
      expect(known.body.validation?.['issue-7']).toEqual(want);
    }, SOON);
  const rows = async () =>
    (await listRows(api.pool, 'validation', customerId)).filter(({ phase_run_name: name }) =>
      String(name).startsWith(repo.slice(repo.indexOf('/') + 1)),
    );
  const phaseRuns = async () =>
    (await api.phaseRuns.list({ namespace })).filter(({ spec }) => spec.repo === repo);
  return { repo, body, untilRetrieved, rows, phaseRuns };
}

/** Stores while Kubernetes is away: kept, and not yet a PhaseRun. */
async function keep(body: object): Promise<string> {
  const answer = await store(api, tenant, body);
  expect(answer).toMatchObject({ status: 202, body: { success: true, persisted: false } });
  expect(answer.body).not.toHaveProperty('phaseRun');
  return answer.body.id;
}

async function whileAway<T>(act: () => Promise<T>): Promise<T> {
  await kubernetes.killApiserver();
  try {
    return await act();
  } finally {
    await kubernetes.restartApiserver();
  }
}

/** Publishes until nothing waits. */
function publishAll(): Promise<void> {
  return vi.waitFor(async () => {
    await publish();
    expect(await countRows(api.pool, 'inbox_runs', customerId)).toBe(0);
  }, SOON);
}

/** Sends a store with headers of its own. */
function storeWith(headers: Record<string, string>, body: object, path = '/api/v1/phases/store') {
  return send(api, path, {
    method: 'POST',
    headers: { 'x-api-key': tenant.apiKey, 'content-type': 'application/json', ...headers },
    body: JSON.stringify(body),
  });
}

test('behind others of its slot a store is waited for once Kubernetes is back, so that the inbox empties', async () => {
  const { body, untilRetrieved } = freshIssue();
  await whileAway(() => keep(body()));
  // From then on the API knows that it is back.
  await vi.waitFor(
    async () => expect((await store(api, tenant, freshIssue().body())).status).toBe(200),
    SOON,
  );
  const answering = store(api, tenant, body({ data: { validated: false } }));
  await vi.waitFor(async () => expect(await countRows(api.pool, 'inbox_runs', customerId)).toBe(2), SOON);
  await publishAll();
  expect(await answering).toMatchObject({ status: 200, body: { success: true } });
  await untilRetrieved({ validated: false });
});

test('a name that somebody has occupied costs a place, and no result', async () => {
  const issue = freshIssue();
  const request = parseStoreRequest(issue.body());
  if (!request.ok) throw new Error('a body that cannot be parsed');
  const next = (await drawRunOrder(api.pool)) + 1_024;
  const occupied = phaseRunName(slotOf(request.value), next);
  await api.phaseRuns.create({
    metadata: { namespace, name: occupied },
    spec: {
      phase: 'scan',
      forge: 'github',
      repo: 'acme/other',
      commitSha: 'c',
      result: { status: 'completed' },
    },
  });
  const answer = await store(api, tenant, issue.body());
  expect(answer.status).toBe(200);
  expect(await issue.phaseRuns()).toMatchObject([{ metadata: { name: answer.body.phaseRun.name } }]);
  expect(answer.body.phaseRun.name).not.toBe(occupied);
});

test('a run that is named by somebody else stays as it is', async () => {
  const [issue, other] = [freshIssue(), freshIssue()];
  const { status, body } = await store(api, tenant, other.body({ status: 'running' }));
  expect(status).toBe(200);
  const refused = await whileAway(() => store(api, tenant, issue.body({ runId: body.id })));
  expect(refused).toMatchObject({ status: 422, body: { code: 'RUN_NOT_FOUND' } });
});

describe('what is stored while Kubernetes is away', () => {
  test('becomes one row when it is back, however large it is and whichever way it came', async () => {
    const [small, large, old] = [freshIssue(), freshIssue(), freshIssue()];
    const data = { validated: true, text: 'x'.repeat(20_000) };
    const legacy = { repo: old.repo, issueNumber: 7, phase: 'validation', data: { validated: false } };
    const ids = await whileAway(async () => [
      await keep(small.body()),
      await keep(large.body({ data })),
      (await storeWith({}, legacy, '/api/v1/phase_data')).body.id,
    ]);
    expect(await small.rows()).toEqual([]);
    await publishAll();
    await small.untilRetrieved({ validated: true });
    await large.untilRetrieved(data);
    await old.untilRetrieved({ validated: false });
    const rows = await Promise.all([small.rows(), large.rows(), old.rows()]);
    expect(rows).toMatchObject(ids.map((id) => [{ id }]));
    expect(await small.phaseRuns()).toMatchObject([{ spec: { runId: ids[0] } }]);
  });

  test('moves forward the run that was a row before, or began in the same outage', async () => {
    const [before, within, named] = [freshIssue(), freshIssue(), freshIssue()];
    const running = { status: 'running', pipelineRunId: '42', data: {} };
    const done = { pipelineRunId: '42', data: { done: true } };
    const first = await vi.waitFor(async () => {
      const answer = await store(api, tenant, before.body(running));
      expect(answer.status).toBe(200);
      return answer;
    }, SOON);
    await whileAway(async () => {
      expect(await keep(before.body(done))).toBe(first.body.id);
      const begun = await keep(within.body(running));
      expect(await keep(within.body(done))).toBe(begun);
      const runId = await keep(named.body(running));
      expect(await keep(named.body({ ...done, runId }))).toBe(runId);
      expect(await keep(named.body({ ...done, runId }))).toBe(runId);
      const other = await store(api, tenant, named.body({ data: { other: true }, runId }));
      expect(other).toMatchObject({ status: 409, body: { code: 'RUN_CONFLICT' } });
    });
    await publishAll();
    for (const issue of [before, within, named]) {
      await issue.untilRetrieved({ done: true });
      expect(await issue.rows()).toMatchObject([{ status: 'completed' }]);
    }
  });

  test('stays in its order when newer ones arrive before it was published, and late ones behind it', async () => {
    const issue = freshIssue();
    const storedAt = new Date(Date.now() - 60_000).toISOString();
    await whileAway(async () => {
      await keep(issue.body({ data: { n: 1 } }));
      await keep(issue.body({ data: { n: 2 } }));
      const late = issue.body({ data: { n: 0 } });
      expect(await storeWith({ 'x-phase-stored-at': storedAt }, late)).toMatchObject({ status: 202 });
    });
    await keep(issue.body({ data: { n: 3 } }));
    await publishAll();
    await issue.untilRetrieved({ n: 3 });
    await vi.waitFor(async () => expect(await issue.rows()).toHaveLength(4), SOON);
    expect((await issue.rows()).map(({ data }) => data)).toEqual([{ n: 3 }, { n: 2 }, { n: 1 }, { n: 0 }]);
    const next = await store(api, tenant, issue.body({ data: { n: 4 } }));
    expect(next.body).toHaveProperty('phaseRun');
  });

  test('under a key is one run, retried while away and afterwards', async () => {
    const issue = freshIssue();
    const key = { 'idempotency-key': randomUUID() };
    const [first, again] = await whileAway(async () => [
      await storeWith(key, issue.body()),
      await storeWith(key, issue.body()),
    ]);
    expect(first).toMatchObject({ status: 202, body: { persisted: false } });
    expect(again.body).toEqual(first.body);
    await publishAll();
    await issue.untilRetrieved({ validated: true });
    expect((await storeWith(key, issue.body())).body.id).toBe(first.body.id);
    expect(await issue.rows()).toMatchObject([{ id: first.body.id }]);
  });

  test('is gone when it was deleted on request before Kubernetes was back', async () => {
    const issue = freshIssue();
    await whileAway(async () => {
      await keep(issue.body());
      const path = `/api/v1/phase_data/${encodeURIComponent(issue.repo)}/7`;
      const { status } = await send(api, path, { method: 'DELETE', headers: { 'x-api-key': tenant.apiKey } });
      expect(status).toBe(204);
    });
    await publishAll();
    expect(await issue.phaseRuns()).toEqual([]);
  });
});
