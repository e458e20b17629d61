import { describe, expect, test } from 'vitest';
import { makeTenant, retrieve, send, store } from '../api/api-under-test.ts';
import { createContractWorlds, freshRepository } from './contract-worlds.ts';
import { addForgeAccount, verifyForgeAccount } from '../../../src/store/forge-accounts.ts';

describe.each(await createContractWorlds())('$world', async ({ api }) => {
  const tenant = await makeTenant(api.pool);
  const keep = async (body: object) => {
    const all = { phase: 'validation', issueNumber: 7, commitSha: 'c1', ...body };
    expect((await store(api, tenant, all)).status).toBe(200);
  };
  const ask = async (query: Record<string, string>) => {
    const { status, body } = await retrieve(api, tenant, query);
    expect(status).toBe(200);
    return body;
  };

  test('`200`: what is known of each phase; nothing known is {}', async () => {
    const repo = freshRepository(tenant);
    const query = { repo, issue: '7', commit: 'c1' };
    expect(await ask(query)).toEqual({});
    await keep({ repo, phase: 'mitigation', data: { n: 3 } });
    expect(await ask(query)).toEqual({ mitigation: { 'issue-7': { n: 3 } } });
    await keep({ repo, phase: 'scan', data: { n: 1 } });
    await keep({ repo, data: { n: 2 } });
    expect(await ask(query)).toEqual({
      scan: { n: 1 },
      validation: { 'issue-7': { n: 2 } },
      mitigation: { 'issue-7': { n: 3 } },
    });
  });

  test('scan: the newest of repository and commit', async () => {
    const repo = freshRepository(tenant);
    for (const [commitSha, n] of [
      ['c1', 1],
      ['c1', 2],
      ['c2', 3],
    ] as const)
      await keep({ repo, phase: 'scan', commitSha, data: { n } });
    expect(await ask({ repo, commit: 'c1' })).toEqual({ scan: { n: 2 } });
    expect(await ask({ repo, commit: 'c2' })).toEqual({ scan: { n: 3 } });
    expect(await ask({ repo, commit: 'c3' })).toEqual({});
  });

  test('validation, mitigation: the newest of repository and issue, whatever the commit', async () => {
    const repo = freshRepository(tenant);
    for (const phase of ['validation', 'mitigation']) {
      await keep({ repo, phase, commitSha: 'c1', data: { n: 1 } });
      await keep({ repo, phase, commitSha: 'fix', data: { n: 2 } });
      await keep({ repo, phase, issueNumber: 8, data: { n: 3 } });
    }
    for (const commit of ['c1', 'fix', 'never'])
      expect(await ask({ repo, issue: '7', commit })).toEqual({
        validation: { 'issue-7': { n: 2 } },
        mitigation: { 'issue-7': { n: 2 } },
      });
  });

  test('Newest: completed, else failed with data; what is pending or running never answers', async () => {
    const repo = freshRepository(tenant);
    const newest = async () => (await ask({ repo, issue: '7' })).validation?.['issue-7'];
    await keep({ repo, status: 'pending', data: { n: 'pending' } });
    await keep({ repo, status: 'running', data: { n: 'running' } });
    expect(await newest()).toBeUndefined();
    await keep({ repo, status: 'failed', data: { n: 'failed' } });
    await keep({ repo, status: 'failed', data: {} });
    expect(await newest()).toEqual({ n: 'failed' });
    await keep({ repo, data: { n: 'completed' } });
    await keep({ repo, status: 'failed', data: { n: 'failed later' } });
    await keep({ repo, status: 'running', data: { n: 'running later' } });
    expect(await newest()).toEqual({ n: 'completed' });
  });

  test('The key is always `issue-<n>`: however the result was sent; its value is flat', async () => {
    const inner = { validated: true, issue: { 'issue-7': 1 } };
    for (const data of [inner, { validate: { '7': inner } }, { validation: { 'issue-undefined': inner } }]) {
      const repo = freshRepository(tenant);
      await keep({ repo, data });
      expect(await ask({ repo, issue: '7' })).toEqual({ validation: { 'issue-7': inner } });
    }
  });

  test('Parameter order: or how they are encoded makes no difference; no issue is only the scan', async () => {
    const repo = freshRepository(tenant);
    await keep({ repo, phase: 'scan', commitSha: 'v1 dirty', data: { n: 1 } });
    await keep({ repo, data: { n: 2 } });
    const scan = { n: 1 };
    const validation = { 'issue-7': { n: 2 } };
    const get = (query: string) =>
      send(api, `/api/v1/phases/retrieve?${query}`, { headers: { 'x-api-key': tenant.apiKey } });
    for (const spelled of [repo, encodeURIComponent(repo)]) {
      for (const commit of ['v1+dirty', 'v1%20dirty']) {
        const parts = [`repo=${spelled}`, 'issue=7', `commit=${commit}`];
        for (const query of [parts.join('&'), parts.toReversed().join('&')])
          expect((await get(query)).body).toEqual({ scan, validation });
        expect((await get(`commit=${commit}&repo=${spelled}`)).body).toEqual({ scan });
      }
    }
    for (const issue of ['undefined', 'seven', '7.0', ''])
      expect(await get(`repo=${repo}&issue=${issue}`)).toMatchObject({
        status: 400,
        body: { errors: [{ path: 'issue' }] },
      });
  });

  test('Camel and snake parameter names: are the same', async () => {
    const repo = freshRepository(tenant);
    await keep({ repo, phase: 'scan', data: { n: 1 } });
    await keep({ repo, data: { n: 2 } });
    for (const issue of ['issue', 'issueNumber', 'issue_number'])
      for (const commit of ['commit', 'commitSha', 'commit_sha'])
        expect(await ask({ repo, [issue]: '7', [commit]: 'c1' })).toEqual({
          scan: { n: 1 },
          validation: { 'issue-7': { n: 2 } },
        });
  });

  test('Optional `forge`, `pipelineRunId` filters: narrow what is found', async () => {
    const repo = freshRepository(tenant);
    await keep({ repo, pipelineRunId: 'ci-1', data: { n: 1 } });
    await keep({ repo, pipelineRunId: 'ci-2', data: { n: 2 } });
    for (const name of ['pipelineRunId', 'pipeline_run_id']) {
      expect(await ask({ repo, issue: '7', [name]: 'ci-1' })).toEqual({
        validation: { 'issue-7': { n: 1 } },
      });
      expect(await ask({ repo, issue: '7', [name]: 'ci-3' })).toEqual({});
    }
    const gitlab = { forge: 'gitlab', namespace: tenant.owner } as const;
    await addForgeAccount(api.pool, tenant.customerId, gitlab);
    await verifyForgeAccount(api.pool, tenant.customerId, gitlab);
    expect(await ask({ repo, issue: '7', forge: 'gitlab' })).toEqual({});
    expect(await ask({ repo, issue: '7', forge: 'github' })).toEqual({ validation: { 'issue-7': { n: 2 } } });
  });
});
