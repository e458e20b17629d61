import { randomBytes } from 'node:crypto';
import { expect, test, vi } from 'vitest';
import { freshDatabase } from '../../fixtures/database.ts';
import { freshNamespace, ownKubernetes } from '../../fixtures/kubernetes.ts';
import { countRows, listRows } from '../store/rows.ts';
import { makeTenant, retrieve, startApi, startController, store } from './api-under-test.ts';
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

test('what is stored while Kubernetes is away becomes one row when it is back', async () => {
  const issue = freshIssue();
  const id = await whileAway(() => keep(issue.body()));
  await publishAll();
  await issue.untilRetrieved({ validated: true });
  expect(await issue.rows()).toMatchObject([{ id }]);
  expect(await issue.phaseRuns()).toMatchObject([{ spec: { runId: id } }]);
});
