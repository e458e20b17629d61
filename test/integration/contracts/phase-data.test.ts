import { describe, expect, test } from 'vitest';
import { createApiKey } from '../../../src/store/api-keys.ts';
import { makeTenant, retrieve, send, store } from '../api/api-under-test.ts';
import { createContractWorlds, freshRepository } from './contract-worlds.ts';

describe.each(await createContractWorlds())('$world', async ({ api }) => {
  const tenant = await makeTenant(api.pool);
  const post = (body: object) =>
    send(api, '/api/v1/phase_data', {
      method: 'POST',
      headers: { 'x-api-key': tenant.apiKey, 'content-type': 'application/json' },
      body: JSON.stringify(body),
    });
  const ofIssue = (method: 'GET' | 'DELETE', repository: string, apiKey = tenant.apiKey) =>
    send(api, `/api/v1/phase_data/${encodeURIComponent(repository)}/7`, {
      method,
      headers: { 'x-api-key': apiKey },
    });

  test('`POST /api/v1/phase_data`: 201 for a scan, a validate and a mitigate', async () => {
    const repository = freshRepository(tenant);
    for (const phase of ['scan', 'validate', 'mitigate'])
      expect(await post({ repository, issue_number: 7, phase, data: { phase } })).toMatchObject({
        status: 201,
        body: { success: true, id: expect.any(String) },
      });
    expect(await post({ repository, issue_number: 7, phase: 'deploy', data: {} })).toMatchObject({
      status: 400,
      body: { errors: [{ path: 'phase' }] },
    });
  });

  test('`GET /api/v1/phase_data/:repository/:issue_number`: what is known of the issue', async () => {
    const repository = freshRepository(tenant);
    const want = { repository, issue_number: 7 };
    expect(await ofIssue('GET', repository)).toMatchObject({ status: 200, body: { ...want, phases: {} } });
    for (const phase of ['scan', 'validate']) await post({ ...want, phase, data: { phase } });
    expect((await ofIssue('GET', repository)).body).toEqual({
      ...want,
      phases: { scan: { phase: 'scan' }, validate: { phase: 'validate' } },
    });
  });

  test('`DELETE /api/v1/phase_data/:repository/:issue_number`: 204, for a key that may write', async () => {
    const repository = freshRepository(tenant);
    await post({ repository, issue_number: 7, phase: 'validate', data: { kept: true } });
    const { customerId } = tenant;
    const reader = await createApiKey(api.pool, { customerId, name: 'reader', scopes: ['phases:read'] });
    expect(await ofIssue('DELETE', repository, reader.apiKey)).toMatchObject({
      status: 403,
      body: { code: 'INSUFFICIENT_SCOPE' },
    });
    expect((await ofIssue('GET', repository)).body.phases).toEqual({ validate: { kept: true } });
    expect(await ofIssue('DELETE', repository)).toMatchObject({ status: 204, body: null });
    expect((await ofIssue('GET', repository)).body.phases).toEqual({});
  });

  test('Same rows, same rules: either way finds what the other stored; a scan has no commit', async () => {
    const repository = freshRepository(tenant);
    await post({ repository, issue_number: 7, phase: 'validate', data: { by: 'older' } });
    await post({ repository, issue_number: 7, phase: 'scan', data: { of: 'issue' } });
    const newer = {
      repo: repository,
      issueNumber: 7,
      commitSha: 'c1',
      phase: 'mitigation',
      data: { by: 'newer' },
    };
    await store(api, tenant, newer);
    expect((await retrieve(api, tenant, { repo: repository, issue: '7', commit: 'c1' })).body).toEqual({
      validation: { 'issue-7': { by: 'older' } },
      mitigation: { 'issue-7': { by: 'newer' } },
    });
    expect((await ofIssue('GET', repository)).body.phases).toEqual({
      scan: { of: 'issue' },
      validate: { by: 'older' },
      mitigate: { by: 'newer' },
    });
  });
});
