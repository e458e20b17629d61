import { describe, expect, test } from 'vitest';
import { addForgeAccount, verifyForgeAccount } from '../../../src/store/forge-accounts.ts';
import { makeTenant, retrieve, store } from '../api/api-under-test.ts';
import { listRows } from '../store/rows.ts';
import { createContractWorlds, freshRepository } from './contract-worlds.ts';

describe.each(await createContractWorlds())('$world', async ({ api }) => {
  const tenant = await makeTenant(api.pool);
  const validation = (fields: object = {}) => ({
    phase: 'validation',
    repo: freshRepository(tenant),
    issueNumber: 7,
    commitSha: 'c0ffee',
    data: { validated: true },
    ...fields,
  });
  /** Stores it, and answers the row that it became. */
  async function keep(body: object) {
    const { status, body: answer } = await store(api, tenant, body);
    expect({ status, answer }).toMatchObject({ status: 200, answer: { success: true } });
    const rows = await listRows(api.pool, answer.phase, tenant.customerId);
    return rows.find(({ id }) => id === answer.id);
  }
  async function refuse(body: object, path: string) {
    expect(await store(api, tenant, body)).toMatchObject({ status: 400, body: { errors: [{ path }] } });
  }

  test('`phase`: scan, validation, mitigation, and what the oldest clients call them', async () => {
    const canonical = { validate: 'validation', mitigate: 'mitigation' };
    for (const phase of ['scan', 'validation', 'mitigation', 'validate', 'mitigate'] as const) {
      const body = validation({ phase, data: { sentAs: phase } });
      const want = canonical[phase as keyof typeof canonical] ?? phase;
      expect((await store(api, tenant, body)).body.phase).toBe(want);
      const found = await retrieve(api, tenant, { repo: body.repo, issue: '7', commit: 'c0ffee' });
      expect(found.body[want]).toEqual(want === 'scan' ? body.data : { 'issue-7': body.data });
    }
    await refuse(validation({ phase: 'deploy' }), 'phase');
  });

  test('`repo`: owner/name in any case; groups of GitLab nest', async () => {
    const body = validation();
    await keep({ ...body, repo: body.repo.toUpperCase() });
    const found = await retrieve(api, tenant, { repo: body.repo, issue: '7' });
    expect(found.body).toEqual({ validation: { 'issue-7': body.data } });
    const { customerId, owner } = tenant;
    const account = { forge: 'gitlab', namespace: `${owner}-group` } as const;
    await addForgeAccount(api.pool, customerId, account);
    await verifyForgeAccount(api.pool, customerId, account);
    const nested = { repo: `${owner}-group/sub/name`, forge: 'gitlab' };
    await keep(validation(nested));
    expect((await retrieve(api, tenant, { ...nested, issue: '7' })).body).toEqual(found.body);
    await refuse(validation({ repo: `${owner}/sub/name` }), 'repo');
  });

  test('`commitSha` (`commit_sha`): any text that is not empty', async () => {
    for (const commit of ['7776c71', 'unknown', 'no-git-available', 'v1.0 (dirty)']) {
      for (const spelling of ['commitSha', 'commit_sha']) {
        const repo = freshRepository(tenant);
        await keep({ phase: 'scan', repo, [spelling]: commit, data: { spelling } });
        expect((await retrieve(api, tenant, { repo, commit })).body).toEqual({ scan: { spelling } });
      }
    }
    await refuse(validation({ commitSha: undefined }), 'commitSha');
    await refuse(validation({ commitSha: undefined, commit_sha: '' }), 'commit_sha');
  });

  test('`issueNumber` (`issue_number`): a positive integer or its decimal; a scan needs none', async () => {
    for (const issue of [
      { issueNumber: 12 },
      { issueNumber: '12' },
      { issue_number: 12 },
      { issue_number: '12' },
    ]) {
      const body = validation({ issueNumber: undefined, ...issue });
      expect(await keep(body)).toMatchObject({ issue_number: 12 });
    }
    expect(await keep(validation({ phase: 'scan', issueNumber: undefined }))).toMatchObject({
      issue_number: null,
    });
    await refuse(validation({ issueNumber: undefined }), 'issueNumber');
    await refuse(validation({ phase: 'mitigation', issueNumber: '0' }), 'issueNumber');
  });

  test('`branch`: is kept', async () => {
    expect(await keep(validation({ branch: 'feature/ü' }))).toMatchObject({ branch: 'feature/ü' });
    expect(await keep(validation())).toMatchObject({ branch: null });
  });

  test('`pipelineRunId` (`pipeline_run_id`): is kept, by either name', async () => {
    for (const spelling of ['pipelineRunId', 'pipeline_run_id'])
      expect(await keep(validation({ [spelling]: 'ci-1' }))).toMatchObject({ pipeline_run_id: 'ci-1' });
  });

  test('`forge` / `forge_type`: github unless it is said otherwise', async () => {
    const account = { forge: 'gitlab', namespace: tenant.owner } as const;
    await addForgeAccount(api.pool, tenant.customerId, account);
    await verifyForgeAccount(api.pool, tenant.customerId, account);
    for (const spelling of ['forge', 'forge_type']) {
      const repo = freshRepository(tenant);
      await keep(validation({ repo, data: { on: 'github' } }));
      await keep(validation({ repo, [spelling]: 'gitlab', data: { on: 'gitlab' } }));
      for (const forge of ['github', 'gitlab']) {
        const { body } = await retrieve(api, tenant, { repo, issue: '7', [spelling]: forge });
        expect(body.validation).toEqual({ 'issue-7': { on: forge } });
      }
      const { body } = await retrieve(api, tenant, { repo, issue: '7' });
      expect(body.validation).toEqual({ 'issue-7': { on: 'github' } });
    }
  });

  test('`status`, `startedAt`, `completedAt`, `errorMessage`: by either name; completed by default', async () => {
    expect(await keep(validation())).toMatchObject({ status: 'completed', error_message: null });
    const times = ['2026-02-11T09:14:03.000Z', '2026-02-11T10:14:03.000Z'];
    const camel = { startedAt: times[0], completedAt: times[1], errorMessage: 'out of memory' };
    const snake = { started_at: times[0], completed_at: times[1], error_message: 'out of memory' };
    for (const spelled of [camel, snake]) {
      const kept = await keep(validation({ status: 'failed', ...spelled }));
      expect(kept).toMatchObject({ status: 'failed', error_message: 'out of memory' });
      const instants = [kept?.['started_at'], kept?.['completed_at']] as (string | number)[];
      expect(instants.map((instant) => new Date(instant).toISOString())).toEqual(times);
    }
    for (const status of ['pending', 'running'])
      expect(await keep(validation({ status }))).toMatchObject({ status });
  });

  test('`runId` (`run_id`): moves a run forward; without it pipeline run and commit do, if it is running', async () => {
    const body = validation({ status: 'running', pipelineRunId: 'ci-1' });
    const ended = { ...body, status: 'completed', data: { ended: true } };
    const begin = async (fields = {}) => {
      const repo = freshRepository(tenant);
      return { repo, first: (await store(api, tenant, { ...body, repo, ...fields })).body };
    };
    for (const spelling of ['runId', 'run_id']) {
      const { repo, first } = await begin();
      const moved = await store(api, tenant, {
        ...ended,
        repo,
        commitSha: 'another',
        [spelling]: first.id,
      });
      expect(moved).toMatchObject({ status: 200, body: { id: first.id, phaseRun: first.phaseRun } });
    }
    const { repo, first } = await begin();
    const moved = await store(api, tenant, { ...ended, repo });
    expect(moved.body).toMatchObject({ id: first.id, phaseRun: first.phaseRun });
    expect((await api.phaseRuns.get(first.phaseRun)).metadata.generation).toBeGreaterThan(1);
    for (const { begun = {}, end } of [
      { end: { commitSha: 'another' } },
      { end: { pipelineRunId: 'ci-2' } },
      { begun: { pipelineRunId: '' }, end: { pipelineRunId: '' } },
      { begun: { status: 'completed' }, end: {} },
    ]) {
      const other = await begin(begun);
      const { body: answer } = await store(api, tenant, { ...ended, repo: other.repo, ...end });
      expect(answer.id).not.toBe(other.first.id);
    }
  });

  test('`data`: an object, {} when it is absent; what cannot be kept is refused by its path', async () => {
    expect(await keep(validation({ data: undefined }))).toMatchObject({ data: {} });
    const all = { '': 0, ü: [null, true, -1.5e300, { deep: '\u{1f600}' }], null: null };
    expect((await keep(validation({ data: all })))?.data).toEqual(all);
    for (const data of [null, [], 'text', 7]) await refuse(validation({ data }), 'data');
    await refuse(validation({ data: { a: ['x\0'] } }), 'data.a[0]');
    await refuse(validation({ data: { a: '\ud800' } }), 'data.a');
    await refuse(validation({ data: { '\udc00': 1 } }), 'data["\\udc00"]');
    const beyond = JSON.stringify(validation({ data: { a: 'BEYOND' } })).replace('"BEYOND"', '1e400');
    const response = await fetch(`${api.url}/api/v1/phases/store`, {
      method: 'POST',
      headers: { 'x-api-key': tenant.apiKey, 'content-type': 'application/json' },
      body: beyond,
    });
    expect(await response.json()).toMatchObject({ status: 400, errors: [{ path: 'data.a' }] });
  });

  test('Camel wins: spellings mix, and what is unknown is ignored', async () => {
    const both = validation({
      commit_sha: 'snake',
      issue_number: 8,
      pipelineRunId: 'camel',
      pipeline_run_id: 'snake',
      error_message: 'mixed',
      unknown: { field: [1] },
    });
    expect(await keep(both)).toMatchObject({
      commit_sha: 'c0ffee',
      issue_number: 7,
      pipeline_run_id: 'camel',
      error_message: 'mixed',
    });
  });
});
