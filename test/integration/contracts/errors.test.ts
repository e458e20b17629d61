import { describe, expect, test } from 'vitest';
import { problemSchema } from '../../../src/api/problem.ts';
import { addForgeAccount } from '../../../src/store/forge-accounts.ts';
import { type ApiAnswer, makeTenant, send, store } from '../api/api-under-test.ts';
import { ALL_SCOPES, createContractWorlds, keysInRedis, startReplica } from './contract-worlds.ts';

describe.each(await createContractWorlds({ withController: false }))('$world', async (world) => {
  const { api, redisUrl, options } = world;
  const tenant = await makeTenant(api.pool, { scopes: ALL_SCOPES });
  const good = {
    phase: 'validation',
    repo: `${tenant.owner}/shop`,
    issueNumber: 7,
    commitSha: 'c0ffee',
    data: {},
  };
  const json = { 'x-api-key': tenant.apiKey, 'content-type': 'application/json' };
  const post = (body: string, headers: Record<string, string> = json) =>
    send(api, '/api/v1/phases/store', { method: 'POST', headers, body });
  /** What was answered, once it is a problem as documented. */
  function refusalOf({ status, headers, body }: ApiAnswer) {
    expect(headers.get('content-type')).toMatch(/^application\/problem\+json/);
    const problem = problemSchema.strict().parse(body);
    expect([problem.status, problem.error, problem.message]).toEqual([
      status,
      problem.detail,
      problem.detail,
    ]);
    return problem;
  }

  /** Every operation that wants credentials, with ids that nobody has. */
  async function operations(): Promise<readonly { method: string; path: string }[]> {
    const { body: document } = await send(api, '/openapi.json');
    const found: { method: string; path: string }[] = [];
    for (const [path, methods] of Object.entries(
      document.paths as Record<string, Record<string, { security?: unknown[] }>>,
    ))
      for (const [method, { security }] of Object.entries(methods))
        if (security !== undefined && security.length > 0)
          found.push({ method: method.toUpperCase(), path: path.replaceAll(/\{\w+\}/g, '1') });
    expect(found.length).toBeGreaterThan(20);
    return found;
  }

  test('application/problem+json: has the members that readers of old look for', async () => {
    const problem = refusalOf(await post(JSON.stringify({ ...good, issueNumber: 0, commitSha: '' })));
    expect(problem).toMatchObject({
      status: 400,
      code: 'VALIDATION_FAILED',
    });
    expect(Object.keys(problem).toSorted()).toEqual(
      ['type', 'title', 'status', 'detail', 'error', 'code', 'message', 'requestId', 'errors'].toSorted(),
    );
    expect(problem.errors?.map(({ path }) => path).toSorted()).toEqual(['commitSha', 'issueNumber']);
    for (const { path, message } of problem.errors ?? []) expect(message).toContain(path);
  });

  test('401 `AUTH_REQUIRED`: without credentials, at every route', async () => {
    for (const { method, path } of await operations())
      expect(refusalOf(await send(api, path, { method }))).toMatchObject({
        status: 401,
        code: 'AUTH_REQUIRED',
      });
  });

  test('401 `INVALID_API_KEY`: with a key that nobody has, by either header', async () => {
    const apiKey = 'rsolv_nobody_nothing';
    const want = { status: 401, code: 'INVALID_API_KEY' };
    expect(refusalOf(await post(JSON.stringify(good), { ...json, 'x-api-key': apiKey }))).toMatchObject(want);
    const repository = encodeURIComponent(good.repo);
    const reads = ['/sessions', '/tasks', '/approvals', '/audit', '/profiles/support', '/api/v1/webhooks'];
    const phases = [`/api/v1/phases/retrieve?repo=${good.repo}`, `/api/v1/phase_data/${repository}/7`];
    for (const path of [...reads, ...phases]) {
      expect(refusalOf(await send(api, path, { headers: { 'X-API-Key': apiKey } }))).toMatchObject(want);
      expect(
        refusalOf(await send(api, path, { headers: { authorization: `Bearer ${apiKey}` } })),
      ).toMatchObject(want);
    }
  });

  test('403 `NAMESPACE_FORBIDDEN`: the same for the namespace of another and for one of nobody', async () => {
    const stranger = await makeTenant(api.pool);
    for (const owner of [stranger.owner, 'nobody-at-all'])
      expect(refusalOf(await store(api, tenant, { ...good, repo: `${owner}/shop` }))).toMatchObject({
        status: 403,
        code: 'NAMESPACE_FORBIDDEN',
      });
  });

  test("403 `FORGE_ACCOUNT_NOT_VERIFIED`: for one's own claim that is yet to be verified", async () => {
    const namespace = `${tenant.owner}-claimed`;
    await addForgeAccount(api.pool, tenant.customerId, { forge: 'github', namespace });
    expect(refusalOf(await store(api, tenant, { ...good, repo: `${namespace}/shop` }))).toMatchObject({
      status: 403,
      code: 'FORGE_ACCOUNT_NOT_VERIFIED',
    });
  });

  test('400: for a field that is missing or malformed, by its name', async () => {
    for (const path of ['phase', 'repo', 'issueNumber', 'commitSha']) {
      const answer = await store(api, tenant, { ...good, [path]: undefined });
      const problem = refusalOf(answer);
      expect(problem).toMatchObject({ status: 400, code: 'VALIDATION_FAILED' });
      expect(problem.errors).toMatchObject([{ path, message: expect.stringContaining(path) }]);
    }
    expect(refusalOf(await post('{"phase":'))).toMatchObject({ status: 400, code: 'MALFORMED_JSON' });
  });

  test('413: for a body that is too large', async () => {
    const large = 'x'.repeat(11_000_000);
    const want = { status: 413, code: 'PAYLOAD_TOO_LARGE' };
    expect(refusalOf(await post(JSON.stringify({ ...good, data: { large } })))).toMatchObject(want);
    const body = JSON.stringify({ agent_role: 'support', metadata: { large: large.slice(0, 1_100_000) } });
    expect(refusalOf(await send(api, '/sessions', { method: 'POST', headers: json, body }))).toMatchObject(
      want,
    );
  });

  test('415: for a body that is not JSON', async () => {
    expect(
      refusalOf(await post('phase=scan', { ...json, 'content-type': 'application/x-www-form-urlencoded' })),
    ).toMatchObject({
      status: 415,
      code: 'UNSUPPORTED_MEDIA_TYPE',
    });
  });

  test('422: for what is understood and cannot be', async () => {
    const runId = '3f0d7c1e-8f0a-4c52-9a5c-0d9f6f3b7a11';
    expect(refusalOf(await store(api, tenant, { ...good, runId }))).toMatchObject({
      status: 422,
      code: 'RUN_NOT_FOUND',
    });
  });

  test('429: with the limit, what remains, when it is reset, and when to come again', async () => {
    const limited = await startReplica({ ...options, limits: { requestsPerHour: 2 } });
    const user = await makeTenant(api.pool);
    const ask = () =>
      send(limited, '/api/v1/phases/retrieve?repo=a/b', { headers: { 'x-api-key': user.apiKey } });
    const answers = [await ask(), await ask(), await ask()];
    expect(answers.map(({ headers }) => headers.get('x-ratelimit-remaining'))).toEqual(['1', '0', '0']);
    const [, , last] = answers as [ApiAnswer, ApiAnswer, ApiAnswer];
    expect(refusalOf(last)).toMatchObject({ status: 429, code: 'RATE_LIMITED' });
    expect(last.headers.get('x-ratelimit-limit')).toBe('2');
    for (const name of ['x-ratelimit-reset', 'retry-after'])
      expect(Number(last.headers.get(name))).toBeGreaterThan(0);
    const counters =
      redisUrl === undefined ? [] : await keysInRedis(redisUrl, `ratelimit:*${user.customerId}*`);
    expect(counters).toHaveLength(redisUrl === undefined ? 0 : 1);
  });

  test('503: with when to come again', async () => {
    const lame = await startReplica({ ...options, databaseUrl: undefined });
    const answer = await send(lame, '/sessions', { headers: { 'x-api-key': tenant.apiKey } });
    expect(refusalOf(answer)).toMatchObject({ status: 503, code: 'DATABASE_UNAVAILABLE' });
    expect(Number(answer.headers.get('retry-after'))).toBeGreaterThan(0);
  });

  test('Never a 500: nor an empty body or a stack trace, whatever is sent to whichever route', async () => {
    for (const { method, path } of await operations()) {
      if (method === 'GET') continue;
      for (const body of ['null', '[]', '"\\ud800"', '{"__proto__":{"a":1}}', '{', '{"a":1e999}']) {
        const answer = await send(api, path, { method, headers: json, body });
        expect([path, answer.status < 500, answer.body !== null || answer.status === 204]).toEqual([
          path,
          true,
          true,
        ]);
        expect(JSON.stringify(answer.body)).not.toMatch(/\bat .*\.ts:\d+|node:internal/);
      }
    }
  });
});
