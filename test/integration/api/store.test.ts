import { randomBytes, randomUUID } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { describe, expect, onTestFinished, test, vi } from 'vitest';
import { listApiKeys } from '../../../src/store/api-keys.ts';
import { freshDatabase } from '../../fixtures/database.ts';
import { freshNamespace, ownKubernetes } from '../../fixtures/kubernetes.ts';
import {
  type ApiUnderTest,
  countStored,
  makeTenant,
  retrieve,
  startApi,
  startController,
  store,
} from './api-under-test.ts';

const { url: databaseUrl } = await freshDatabase();
const { kubeconfigPath } = await ownKubernetes();
const api = await startApi({
  kubeconfigPath,
  databaseUrl,
  namespace: await freshNamespace({ kubeconfigPath }),
});
await startController({ kubeconfigPath, databaseUrl });
const tenant = await makeTenant(api.pool);

/** A validation of a repository that no other test uses. */
function freshValidation(overrides: object = {}) {
  const repo = `${tenant.owner}/repo-${randomBytes(4).toString('hex')}`;
  return {
    phase: 'validation',
    repo,
    issueNumber: 7,
    commitSha: 'c0ffee',
    data: { validated: true },
    ...overrides,
  };
}

/** What retrieve answers for the issue of a stored validation. */
async function retrieveValidation({ repo, issueNumber }: { repo: string; issueNumber: number }) {
  const found = await retrieve(api, tenant, { repo, issue: String(issueNumber) });
  return found.body.validation?.[`issue-${issueNumber}`];
}

describe('what clients send is what they get back', () => {
  const samples = new URL('../../fixtures/samples/', import.meta.url);

  interface Sample {
    readonly repo: string;
    readonly commitSha?: string;
    readonly commit_sha?: string;
    readonly issueNumber?: number;
    readonly issue_number?: number;
    readonly data: Record<string, Record<string, unknown>>;
  }

  test.each(readdirSync(samples))('%s', async (file) => {
    const sample = JSON.parse(readFileSync(new URL(file, samples), 'utf8')) as Sample;
    const repo = `${tenant.owner}/${sample.repo.split('/')[1]}`;
    const stored = await store(api, tenant, { ...sample, repo });
    expect(stored).toMatchObject({ status: 200, body: { success: true, persisted: true } });

    const issue = sample.issueNumber ?? sample.issue_number;
    const commit = sample.commitSha ?? sample.commit_sha ?? '';
    const found = await retrieve(api, tenant, { repo, commit, ...(issue && { issue: String(issue) }) });
    const results = found.body[stored.body.phase];
    expect(issue === undefined ? results : results[`issue-${issue}`]).toEqual(
      sample.data['validation']?.[`issue-${issue}`] ?? sample.data,
    );
  });
});

describe('an answer', () => {
  test('names the run, its PhaseRun and its session', async () => {
    const { status, body, headers } = await store(api, tenant, freshValidation());
    expect(status).toBe(200);
    expect(body).toEqual({
      success: true,
      id: expect.stringMatching(/^[0-9a-f-]{36}$/),
      phase: 'validation',
      persisted: true,
      phaseRun: { namespace: api.namespace, name: expect.stringContaining('repo-') },
      sessionId: expect.stringMatching(/^[0-9a-f-]{36}$/),
      sessionState: 'active',
    });
    expect(headers.get('content-type')).toContain('application/json');
    const phaseRun = await api.phaseRuns.get(body.phaseRun);
    expect(phaseRun.spec).toMatchObject({ customerId: tenant.customerId, runId: body.id });
    expect(phaseRun.spec.ttlSecondsAfterArchived).toBe(600);
  });
});

describe('stored again', () => {
  test('the same result is the row that is there', async () => {
    const validation = freshValidation();
    const first = await store(api, tenant, validation);
    const second = await store(api, tenant, { ...validation, data: { ...validation.data } });
    expect(second.status).toBe(200);
    expect(second.body.id).toBe(first.body.id);
  });

  test.each([
    { name: 'on one commit', commits: ['c1', 'c1', 'c1'] },
    { name: 'on two commits', commits: ['c1', 'c2', 'c1'] },
  ])('A, B, A are three rows, and the newest is A: $name', async ({ commits }) => {
    const validation = freshValidation();
    const ids: string[] = [];
    for (const [index, commitSha] of commits.entries()) {
      const data = { content: index === 1 ? 'B' : 'A' };
      ids.push((await store(api, tenant, { ...validation, commitSha, data })).body.id);
    }
    expect(new Set(ids).size).toBe(3);
    expect(await retrieveValidation(validation)).toEqual({ content: 'A' });
  });

  test('a running one never hides the last completed one', async () => {
    const validation = freshValidation();
    await store(api, tenant, validation);
    const running = await store(api, tenant, { ...validation, status: 'running', data: { progress: 1 } });
    expect(running.status).toBe(200);
    expect(await retrieveValidation(validation)).toEqual(validation.data);
  });
});

describe('a running run', () => {
  const running = () =>
    freshValidation({ status: 'running', pipelineRunId: 'ci-1', data: { keep: 'not', gone: 1 } });

  test('is moved forward by the store of the same pipeline run and commit', async () => {
    const begun = running();
    const first = await store(api, tenant, begun);
    const data = { validated: false, vulnerabilities: [{ line: null }] };
    const second = await store(api, tenant, { ...begun, status: 'completed', data });
    expect(second).toMatchObject({ status: 200, body: { id: first.body.id, phaseRun: first.body.phaseRun } });
    expect(await retrieveValidation(begun)).toEqual(data);
  });

  test('is moved forward by its id, whatever its pipeline run and commit', async () => {
    const { pipelineRunId: _, ...begun } = running() as ReturnType<typeof running> & {
      pipelineRunId: string;
    };
    const first = await store(api, tenant, begun);
    const ended = {
      ...begun,
      status: 'completed',
      commitSha: 'feedbeef',
      branch: 'main',
      runId: first.body.id,
    };
    const second = await store(api, tenant, ended);
    expect(second).toMatchObject({ status: 200, body: { id: first.body.id } });
    const phaseRun = await api.phaseRuns.get(first.body.phaseRun);
    expect(phaseRun.spec).toMatchObject({
      commitSha: 'feedbeef',
      branch: 'main',
      result: { status: 'completed' },
    });
  });

  test('completed with the very data it had while running is answered for once it is completed', async () => {
    const begun = running();
    await store(api, tenant, begun);
    const ended = await store(api, tenant, { ...begun, status: 'completed' });
    expect(ended.status).toBe(200);
    expect(await retrieveValidation(begun)).toEqual(begun.data);
  });

  test('whose PhaseRun is gone is moved forward by another PhaseRun of the same run', async () => {
    const begun = running();
    const first = await store(api, tenant, begun);
    // The row comes before the status, and until then the object is guarded.
    await vi.waitFor(() => api.phaseRuns.delete(first.body.phaseRun), { timeout: 10_000 });
    const second = await store(api, tenant, { ...begun, status: 'completed', data: { done: true } });
    expect(second).toMatchObject({ status: 200, body: { id: first.body.id } });
    expect(second.body.phaseRun.name).not.toBe(first.body.phaseRun.name);
    expect(await retrieveValidation(begun)).toEqual({ done: true });
  });

  test('moved forward by many at once is one row, and the others rows of their own', async () => {
    const begun = running();
    const first = await store(api, tenant, begun);
    const ends = await Promise.all(
      [1, 2, 3, 4].map((n) => store(api, tenant, { ...begun, status: 'completed', data: { n } })),
    );
    expect(ends.map(({ status }) => status)).toEqual([200, 200, 200, 200]);
    const ids = ends.map(({ body }) => body.id);
    expect(new Set(ids).size).toBe(4);
    expect(ids).toContain(first.body.id);
  });

  test('that has ended may be repeated by its id, and not be changed', async () => {
    const validation = freshValidation();
    const first = await store(api, tenant, validation);
    const same = await store(api, tenant, { ...validation, runId: first.body.id });
    expect(same).toMatchObject({ status: 200, body: { id: first.body.id, sessionId: first.body.sessionId } });
    const elsewhere = await store(api, tenant, { ...validation, runId: first.body.id, branch: 'elsewhere' });
    expect(elsewhere).toMatchObject({ status: 409, body: { code: 'RUN_CONFLICT' } });
    const other = await store(api, tenant, { ...validation, runId: first.body.id, data: { other: true } });
    expect(other).toMatchObject({ status: 409, body: { code: 'RUN_CONFLICT' } });
    expect(await retrieveValidation(validation)).toEqual(validation.data);
  });

  test('is not found by an id of nobody, of another slot, or of another customer, all in the same words', async () => {
    const stranger = await makeTenant(api.pool);
    const theirs = await store(api, stranger, freshValidation({ repo: `${stranger.owner}/shop` }));
    const elsewhere = await store(api, tenant, freshValidation());
    const before = await countStored(api);
    for (const runId of [randomUUID(), theirs.body.id, elsewhere.body.id]) {
      const answer = await store(api, tenant, freshValidation({ runId }));
      expect(answer).toMatchObject({
        status: 422,
        body: { code: 'RUN_NOT_FOUND', errors: [{ path: 'runId' }] },
      });
      expect(answer.body.detail).toBe('runId names no run of this repository, phase, and issue or commit');
    }
    expect(await countStored(api)).toEqual(before);
  });
});

describe('large results', () => {
  test.each([
    { name: '2.5 MB', bytes: 2_500_000 },
    { name: '8 MB', bytes: 8_000_000 },
  ])('$name come back intact, and the PhaseRun stays small', async ({ bytes }) => {
    const repo = `${tenant.owner}/large-${bytes}`;
    const finding = { type: 'xss', message: 'x'.repeat(990), line: 3 };
    const data = { vulnerabilities: Array.from({ length: Math.floor(bytes / 1_030) }, () => finding) };
    const stored = await store(api, tenant, { phase: 'scan', repo, commitSha: 'c1', data });
    expect(stored).toMatchObject({ status: 200, body: { persisted: true } });
    expect((await retrieve(api, tenant, { repo, commit: 'c1' })).body.scan).toEqual(data);
    const phaseRun = await api.phaseRuns.get(stored.body.phaseRun);
    expect(JSON.stringify(phaseRun).length).toBeLessThan(10_000);
  });

  test('11 MB is refused, whether or not the length is told beforehand', async () => {
    const before = await countStored(api);
    const body = JSON.stringify(freshValidation({ data: { text: 'x'.repeat(11_000_000) } }));
    const headers = { 'x-api-key': tenant.apiKey, 'content-type': 'application/json' };
    for (const sent of [body, new Blob([body]).stream()]) {
      const answer = await fetch(`${api.url}/api/v1/phases/store`, {
        method: 'POST',
        headers,
        body: sent,
        duplex: 'half',
      });
      expect(answer.status).toBe(413);
      expect(await answer.json()).toMatchObject({
        code: 'PAYLOAD_TOO_LARGE',
        detail: expect.stringContaining('10485760'),
      });
    }
    expect(await countStored(api)).toEqual(before);
  });

  test('a moved run may be large as well', async () => {
    const begun = freshValidation({ status: 'running', pipelineRunId: 'ci-1', data: { small: true } });
    const first = await store(api, tenant, begun);
    const data = { text: 'é'.repeat(20_000) };
    const second = await store(api, tenant, { ...begun, status: 'completed', data });
    expect(second).toMatchObject({ status: 200, body: { id: first.body.id } });
    expect(await retrieveValidation(begun)).toEqual(data);
  });
});

describe('a new repository', () => {
  test('stored to by twenty at once is one repository, and twenty rows', async () => {
    const before = await countStored(api);
    const { repo } = freshValidation();
    const answers = await Promise.all(
      Array.from({ length: 20 }, (_, n) => store(api, tenant, freshValidation({ repo, data: { n } }))),
    );
    expect(answers.map(({ status }) => status)).toEqual(Array(20).fill(200));
    expect(new Set(answers.map(({ body }) => body.id)).size).toBe(20);
    const { repositories, validations } = before as { repositories: number; validations: number };
    expect(await countStored(api)).toMatchObject({
      repositories: repositories + 1,
      validations: validations + 20,
    });
  });
});

test('a retrieve is one statement, however many phases it finds and whoever asks', async () => {
  const replica = await startApi({ kubeconfigPath, databaseUrl, namespace: api.namespace });
  onTestFinished(() => replica.close());
  const validation = freshValidation();
  for (const phase of ['validation', 'mitigation']) await store(api, tenant, { ...validation, phase });
  const { repo, issueNumber } = validation;
  const ask = () => retrieve(replica, tenant, { repo, issue: String(issueNumber) });
  // Whose limits count is found out once for a caller.
  await ask();
  const before = await countStatements(replica);
  const answers = await Promise.all(Array.from({ length: 20 }, ask));
  expect(answers.map(({ status }) => status)).toEqual(Array(20).fill(200));
  const asked = [...(await countStatements(replica))].flatMap(([query, count]) => {
    const more = count - (before.get(query) ?? 0);
    // What a replica does now and again, whoever asks.
    return more < 20 ? [] : [`${query.split('.')[0]}: ${more}`];
  });
  expect(asked).toEqual(['retrieve_phases: 20']);
});

/** How often each statement was run, by its name. */
async function countStatements({ metrics }: ApiUnderTest): Promise<ReadonlyMap<string, number>> {
  const line = /^phaserun_postgres_query_duration_seconds_count\{query="([^"]+)"\} (\d+)$/gm;
  const counts = (await metrics.expose()).matchAll(line);
  return new Map([...counts].map(([, query = '', count]) => [query, Number(count)]));
}

test('the last use of a key is written down when the server closes', async () => {
  const other = await startApi({ kubeconfigPath, databaseUrl, namespace: api.namespace });
  const user = await makeTenant(api.pool);
  await retrieve(other, user, { repo: `${user.owner}/shop` });
  await other.close();
  const [key] = await listApiKeys(api.pool, user.customerId);
  expect(key?.lastUsedAt).not.toBeNull();
});
