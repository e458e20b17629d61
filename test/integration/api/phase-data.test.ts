import { randomBytes } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { listAuditEvents } from '../../../src/store/audit-events.ts';
import { addLegalHold, removeLegalHold } from '../../../src/store/legal-holds.ts';
import { freshDatabase } from '../../fixtures/database.ts';
import { freshNamespace, ownKubernetes } from '../../fixtures/kubernetes.ts';
import {
  type ApiAnswer,
  makeTenant,
  retrieve,
  send,
  startApi,
  startController,
  store,
  type Tenant,
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

type KeyHolder = Pick<Tenant, 'apiKey'>;

function freshRepository(owner = tenant.owner): string {
  return `${owner}/repo-${randomBytes(4).toString('hex')}`;
}

function post(
  body: object,
  by: KeyHolder = tenant,
  headers: Record<string, string> = {},
): Promise<ApiAnswer> {
  return send(api, '/api/v1/phase_data', {
    method: 'POST',
    headers: { 'x-api-key': by.apiKey, 'content-type': 'application/json', ...headers },
    body: JSON.stringify(body),
  });
}

function ofIssue(
  method: 'GET' | 'DELETE',
  repository: string,
  issue: number | string,
  by: KeyHolder = tenant,
) {
  const path = `/api/v1/phase_data/${encodeURIComponent(repository)}/${issue}`;
  return send(api, path, { method, headers: { 'x-api-key': by.apiKey } });
}

describe('POST /api/v1/phase_data', () => {
  test.each([
    { phase: 'scan', want: 'scan' },
    { phase: 'validate', want: 'validation' },
    { phase: 'mitigate', want: 'mitigation' },
  ])('keeps a $phase, which GET finds under that name', async ({ phase, want }) => {
    const repository = freshRepository();
    const stored = await post({ repository, issue_number: 7, phase, data: { of: phase } });
    expect(stored).toMatchObject({ status: 201, body: { success: true, persisted: true, phase: want } });
    expect(await ofIssue('GET', repository, 7)).toMatchObject({
      status: 200,
      body: { repository, issue_number: 7, phases: { [phase]: { of: phase } } },
    });
  });

  test('keeps the scan of an issue apart from the scan of a commit', async () => {
    const repository = freshRepository();
    await post({ repository, issue_number: 7, phase: 'scan', commitSha: 'c0ffee', data: { of: 'issue' } });
    await store(api, tenant, {
      repo: repository,
      issueNumber: 7,
      phase: 'scan',
      commitSha: 'c0ffee',
      data: { of: 'commit' },
    });
    expect((await ofIssue('GET', repository, 7)).body.phases).toEqual({ scan: { of: 'issue' } });
    expect((await retrieve(api, tenant, { repo: repository, commit: 'c0ffee' })).body).toEqual({
      scan: { of: 'commit' },
    });
  });

  test('answers the newest', async () => {
    const repository = freshRepository();
    for (const n of [1, 2, 3]) await post({ repository, issue_number: 7, phase: 'validate', data: { n } });
    expect((await ofIssue('GET', repository, 7)).body.phases).toEqual({ validate: { n: 3 } });
  });

  test.each([
    { name: 'no issue', change: { issue_number: undefined }, want: 'issue_number' },
    { name: 'a repository that is none', change: { repository: 'acme' }, want: 'repository' },
    { name: 'another phase', change: { phase: 'deploy' }, want: 'phase' },
  ])('refuses $name by its own names', async ({ change, want }) => {
    const refused = await post({
      repository: freshRepository(),
      issue_number: 7,
      phase: 'scan',
      data: {},
      ...change,
    });
    expect(refused).toMatchObject({
      status: 400,
      body: { code: 'VALIDATION_FAILED', errors: [{ path: want }] },
    });
  });
});

describe('GET /api/v1/phase_data/:repository/:issue_number', () => {
  test.each(['undefined', '0', '-1', '1.5', '99999999999999999999'])(
    'refuses the issue %s',
    async (issue) => {
      expect(await ofIssue('GET', freshRepository(), issue)).toMatchObject({
        status: 400,
        body: { errors: [{ path: 'issue_number' }] },
      });
    },
  );
});

describe('DELETE /api/v1/phase_data/:repository/:issue_number', () => {
  test('deletes what is stored of the issue, and answers the same when there is nothing', async () => {
    const repository = freshRepository();
    for (const phase of ['scan', 'validate', 'mitigate'])
      await post({ repository, issue_number: 7, phase, data: { phase } });
    await post({ repository, issue_number: 8, phase: 'validate', data: { other: true } });
    expect(await ofIssue('DELETE', repository, 7)).toMatchObject({ status: 204, body: null });
    expect(await ofIssue('DELETE', repository, 7)).toMatchObject({ status: 204 });
    expect((await ofIssue('GET', repository, 7)).body.phases).toEqual({});
    expect((await ofIssue('GET', repository, 8)).body.phases).toEqual({ validate: { other: true } });
  });

  test('leaves room for what is stored afterwards, even if it is the same', async () => {
    const repository = freshRepository();
    const result = { repository, issue_number: 7, phase: 'validate', data: { validated: true } };
    await post(result);
    await ofIssue('DELETE', repository, 7);
    expect(await post(result)).toMatchObject({ status: 201 });
    expect((await ofIssue('GET', repository, 7)).body.phases).toEqual({ validate: { validated: true } });
  });

  test('a run that was deleted cannot be moved forward', async () => {
    const repository = freshRepository();
    const result = { repository, issue_number: 7, phase: 'validate', data: {} };
    const running = await post({ ...result, status: 'running' });
    await ofIssue('DELETE', repository, 7);
    expect(await post({ ...result, runId: running.body.id })).toMatchObject({
      status: 422,
      body: { code: 'RUN_NOT_FOUND' },
    });
  });

  test.each([{ on: 'the issue' }, { on: 'the customer' }])(
    'deletes nothing while a legal hold is upon $on, and says so in the audit',
    async ({ on }) => {
      const owner = await makeTenant(api.pool);
      const repository = freshRepository(owner.owner);
      const result = { repository, issue_number: 7, phase: 'validate', data: { kept: true } };
      await post(result, owner);
      await post({ ...result, issue_number: 8 }, owner);
      const [namespace = '', name = ''] = repository.split('/');
      const { customerId } = owner;
      const issue = { repository: { forge: 'github', namespace, name }, issueNumber: 7 } as const;
      const hold = await api.pool.transaction((transaction) =>
        addLegalHold(transaction, { customerId, ...(on === 'the issue' && issue) }, 'a secret lawsuit'),
      );
      const refused = await ofIssue('DELETE', repository, 7, owner);
      expect(refused).toMatchObject({ status: 409, body: { code: 'LEGAL_HOLD', status: 409 } });
      expect(refused.body.detail).toMatch(/issue 7 has been under a legal hold since/);
      expect(JSON.stringify(refused.body)).not.toContain('lawsuit');
      expect(await ofIssue('DELETE', repository, 8, owner)).toMatchObject({
        status: on === 'the issue' ? 204 : 409,
      });
      expect((await ofIssue('GET', repository, 7, owner)).body.phases).toEqual({ validate: { kept: true } });
      const [event] = (
        await listAuditEvents(
          api.pool,
          customerId,
          { eventType: 'phase_data.deletion_refused' },
          { limit: 1 },
        )
      ).rows;
      expect(event?.metadata).toMatchObject({ legalHold: hold?.id, actor: expect.stringMatching(/^key:/) });
      await removeLegalHold(api.pool, customerId, hold?.id ?? '');
      expect(await ofIssue('DELETE', repository, 7, owner)).toMatchObject({ status: 204 });
    },
  );
});

test('another customer is told the same of a repository that is used and of one that nobody has', async () => {
  const repository = freshRepository();
  await post({ repository, issue_number: 7, phase: 'validate', data: { secret: true } });
  const stranger = await makeTenant(api.pool);
  const ask = async (target: string) => [
    await post({ repository: target, issue_number: 7, phase: 'scan', data: {} }, stranger),
    await ofIssue('GET', target, 7, stranger),
    await ofIssue('DELETE', target, 7, stranger),
  ];
  const nameless = ({ status, body }: ApiAnswer, owner: string): unknown => {
    const text = JSON.stringify({ ...body, requestId: '' });
    return { status, body: JSON.parse(text.replaceAll(owner, 'somebody')) };
  };
  const nobody = `nobody-${randomBytes(4).toString('hex')}`;
  const used = (await ask(repository)).map((answer) => nameless(answer, tenant.owner));
  const unused = (await ask(`${nobody}/repo`)).map((answer) => nameless(answer, nobody));
  expect(used).toEqual(unused);
  expect(used).toEqual(used.map(() => expect.objectContaining({ status: 403 })));
  expect((await ofIssue('GET', repository, 7)).body.phases).toEqual({ validate: { secret: true } });
});

test('a store that comes late becomes history where newer ones have arrived, by either route', async () => {
  const repository = freshRepository();
  const before = new Date().toISOString();
  const late = { 'x-phase-stored-at': before };
  await post({ repository, issue_number: 7, phase: 'validate', data: { n: 'newest' } });
  const results = [1, 2].map((n) => ({ repository, issue_number: 7, phase: 'validate', data: { n } }));
  for (const result of results) expect(await post(result, tenant, late)).toMatchObject({ status: 201 });
  expect((await ofIssue('GET', repository, 7)).body.phases).toEqual({ validate: { n: 'newest' } });
  const now = { 'x-phase-stored-at': new Date().toISOString() };
  await post({ repository, issue_number: 7, phase: 'validate', data: { n: 'since' } }, tenant, now);
  expect((await ofIssue('GET', repository, 7)).body.phases).toEqual({ validate: { n: 'since' } });
});

test('what was kept through an outage keeps its order', async () => {
  const repository = freshRepository();
  const storedAt = [3, 2, 1].map((ago) => new Date(Date.now() - 1000 * ago).toISOString());
  for (const at of storedAt)
    await post({ repository, issue_number: 7, phase: 'validate', data: { at } }, tenant, {
      'x-phase-stored-at': at,
    });
  expect((await ofIssue('GET', repository, 7)).body.phases).toEqual({ validate: { at: storedAt[2] } });
});

test('late stores at once each find a place', async () => {
  const repository = freshRepository();
  const late = { 'x-phase-stored-at': new Date().toISOString() };
  await post({ repository, issue_number: 7, phase: 'validate', data: { n: 'newest' } });
  const answers = await Promise.all(
    [1, 2, 3, 4, 5, 6].map((n) =>
      post({ repository, issue_number: 7, phase: 'validate', data: { n } }, tenant, late),
    ),
  );
  expect(answers.map(({ status }) => status)).toEqual(answers.map(() => 201));
  expect(new Set(answers.map(({ body }) => body.id)).size).toBe(answers.length);
  expect((await ofIssue('GET', repository, 7)).body.phases).toEqual({ validate: { n: 'newest' } });
});

test('a time that is none is refused', async () => {
  const result = { repository: freshRepository(), issue_number: 7, phase: 'validate', data: {} };
  expect(await post(result, tenant, { 'x-phase-stored-at': 'yesterday' })).toMatchObject({
    status: 400,
    body: { errors: [{ path: 'x-phase-stored-at' }] },
  });
});

test('the document describes the three operations', async () => {
  const { body } = await send(api, '/openapi.json');
  const issue = body.paths['/api/v1/phase_data/{repository}/{issue_number}'];
  expect(body.paths['/api/v1/phase_data'].post.operationId).toBe('storePhaseData');
  expect(issue.get.operationId).toBe('retrievePhaseData');
  expect(issue.delete.responses['204']).toMatchObject({ description: 'Nothing is stored of this issue.' });
  const headers = body.paths['/api/v1/phases/store'].post.parameters;
  expect(headers).toContainEqual(expect.objectContaining({ in: 'header', name: 'x-phase-stored-at' }));
});
