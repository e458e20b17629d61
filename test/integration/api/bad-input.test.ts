import { gzipSync } from 'node:zlib';
import * as fc from 'fast-check';
import { describe, expect, inject, test } from 'vitest';
import { type Problem, problemSchema } from '../../../src/api/problem.ts';
import { createApiKey, revokeApiKey } from '../../../src/store/api-keys.ts';
import { addForgeAccount } from '../../../src/store/forge-accounts.ts';
import { freshDatabase } from '../../fixtures/database.ts';
import { freshNamespace } from '../../fixtures/kubernetes.ts';
import { countStored, makeTenant, send, startApi } from './api-under-test.ts';

const { url: databaseUrl } = await freshDatabase();
const api = await startApi({
  kubeconfigPath: inject('kubeconfigPath'),
  databaseUrl,
  namespace: await freshNamespace(),
});
const tenant = await makeTenant(api.pool);
const stranger = await makeTenant(api.pool);
const unverified = 'never-verified';
await addForgeAccount(api.pool, tenant.customerId, { forge: 'github', namespace: unverified });
const claimedByStranger = 'claimed-by-another';
await addForgeAccount(api.pool, stranger.customerId, { forge: 'github', namespace: claimedByStranger });
const before = await countStored(api);

const STORE = '/api/v1/phases/store';
const RETRIEVE = '/api/v1/phases/retrieve';

const good = {
  phase: 'validation',
  repo: `${tenant.owner}/shop`,
  issueNumber: 7,
  commitSha: 'c0ffee',
  data: { validated: true },
};

/** The good body with the member `name` spelled in raw JSON, for what JSON.stringify cannot say. */
function withRaw(name: string, json: string): string {
  const { [name as keyof typeof good]: _, ...rest } = good;
  return `${JSON.stringify(rest).slice(0, -1)},${JSON.stringify(name)}:${json}}`;
}

interface Refusal {
  readonly name: string;
  /** Members in place of those of the good body, or the body itself. */
  readonly body?: object | string | Uint8Array<ArrayBuffer>;
  readonly headers?: Readonly<Record<string, string>>;
  readonly want: { readonly status: number; readonly code: string; readonly path?: string };
}

const invalid = (path: string) => ({ status: 400, code: 'VALIDATION_FAILED', path });
const malformed = { status: 400, code: 'MALFORMED_JSON' };
const unsupported = { status: 415, code: 'UNSUPPORTED_MEDIA_TYPE' };

const FIELDS: readonly Refusal[] = [
  { name: 'phase missing', body: { phase: undefined }, want: invalid('phase') },
  { name: 'phase unknown', body: { phase: 'deploy' }, want: invalid('phase') },
  { name: 'phase the name of an object member', body: { phase: 'constructor' }, want: invalid('phase') },
  { name: 'phase a number', body: { phase: 1 }, want: invalid('phase') },
  { name: 'phase an array', body: { phase: ['scan'] }, want: invalid('phase') },
  { name: 'repo missing', body: { repo: undefined }, want: invalid('repo') },
  { name: 'repo null', body: { repo: null }, want: invalid('repo') },
  { name: 'repo without owner', body: { repo: 'shop' }, want: invalid('repo') },
  { name: 'repo nested on github', body: { repo: `${tenant.owner}/a/b` }, want: invalid('repo') },
  { name: 'repo that climbs', body: { repo: `${tenant.owner}/..` }, want: invalid('repo') },
  {
    name: 'repo a clone address',
    body: { repo: `https://github.com/${tenant.owner}/shop.git` },
    want: invalid('repo'),
  },
  { name: 'repo with a NUL', body: { repo: `${tenant.owner}/sh\0op` }, want: invalid('repo') },
  {
    name: 'repo of 2,000 characters',
    body: { repo: `${tenant.owner}/${'x'.repeat(2_000)}` },
    want: invalid('repo'),
  },
  { name: 'repo in unicode', body: { repo: `${tenant.owner}/магазин` }, want: invalid('repo') },
  { name: 'forge unknown', body: { forge: 'bitbucket' }, want: invalid('forge') },
  { name: 'forge unknown, snake', body: { forge_type: 'svn' }, want: invalid('forge_type') },
  { name: 'issue missing', body: { issueNumber: undefined }, want: invalid('issueNumber') },
  { name: 'issue undefined, spelled out', body: { issueNumber: 'undefined' }, want: invalid('issueNumber') },
  { name: 'issue zero', body: { issueNumber: 0 }, want: invalid('issueNumber') },
  { name: 'issue negative', body: { issueNumber: -7 }, want: invalid('issueNumber') },
  { name: 'issue a fraction', body: { issueNumber: 7.5 }, want: invalid('issueNumber') },
  { name: 'issue an object', body: { issueNumber: {} }, want: invalid('issueNumber') },
  { name: 'issue true', body: { issueNumber: true }, want: invalid('issueNumber') },
  {
    name: 'issue beyond a double',
    body: withRaw('issueNumber', '9007199254740993'),
    want: invalid('issueNumber'),
  },
  {
    name: 'issue by its snake name',
    body: { issueNumber: undefined, issue_number: 'x' },
    want: invalid('issue_number'),
  },
  { name: 'commit missing', body: { commitSha: undefined }, want: invalid('commitSha') },
  { name: 'commit empty', body: { commitSha: '' }, want: invalid('commitSha') },
  { name: 'commit a number', body: { commitSha: 12 }, want: invalid('commitSha') },
  { name: 'commit too long', body: { commitSha: 'c'.repeat(256) }, want: invalid('commitSha') },
  { name: 'branch an object', body: { branch: { name: 'main' } }, want: invalid('branch') },
  { name: 'pipeline run too long', body: { pipelineRunId: 'p'.repeat(256) }, want: invalid('pipelineRunId') },
  { name: 'status unknown', body: { status: 'done' }, want: invalid('status') },
  { name: 'time without zone', body: { startedAt: '2026-02-11T09:14:03' }, want: invalid('startedAt') },
  {
    name: 'time on 30 February',
    body: { completed_at: '2026-02-30T00:00:00Z' },
    want: invalid('completed_at'),
  },
  { name: 'runId no UUID', body: { runId: '../../etc/passwd' }, want: invalid('runId') },
  { name: 'data null', body: { data: null }, want: invalid('data') },
  { name: 'data a string', body: { data: '{}' }, want: invalid('data') },
  { name: 'data an array', body: { data: [] }, want: invalid('data') },
  {
    name: 'data of another issue',
    body: { data: { validation: { 'issue-8': {} } } },
    want: invalid('data.validation'),
  },
];

const CONTENT: readonly Refusal[] = [
  { name: 'NUL in a string', body: { data: { a: ['x', 'y\0z'] } }, want: invalid('data.a[1]') },
  { name: 'NUL in a key', body: { data: { 'a\0': 1 } }, want: invalid('data["a\\u0000"]') },
  { name: 'lone surrogate', body: withRaw('data', '{"a":"\\ud800"}'), want: invalid('data.a') },
  {
    name: 'lone surrogate in a key',
    body: withRaw('data', '{"\\udc00":1}'),
    want: invalid('data["\\udc00"]'),
  },
  { name: 'number beyond a double', body: withRaw('data', '{"a":1e400}'), want: invalid('data.a') },
  {
    name: 'integer that a double changes',
    body: withRaw('data', '{"a":9007199254740993}'),
    want: invalid('data.a'),
  },
  {
    name: 'nested 100 deep',
    body: withRaw('data', `${'{"a":'.repeat(100)}1${'}'.repeat(100)}`),
    want: invalid(`data${'.a'.repeat(63)}`),
  },
  {
    name: 'nested 100,000 deep',
    body: withRaw('data', `${'['.repeat(100_000)}${']'.repeat(100_000)}`),
    want: invalid(`data${'[0]'.repeat(63)}`),
  },
  {
    name: '__proto__',
    body: withRaw('data', '{"__proto__":{"admin":true}}'),
    want: invalid('data.__proto__'),
  },
  {
    name: '__proto__ at the top',
    body: withRaw('__proto__', '{"phase":"scan"}'),
    want: invalid('__proto__'),
  },
  {
    name: 'constructor.prototype',
    body: { data: { constructor: { prototype: { admin: true } } } },
    want: invalid('data.constructor.prototype'),
  },
  { name: 'an unknown field that holds NUL', body: { extra: '\0' }, want: invalid('extra') },
];

const BODIES: readonly Refusal[] = [
  { name: 'malformed JSON', body: '{"phase":"scan",', want: malformed },
  { name: 'single quotes', body: "{'phase':'scan'}", want: malformed },
  { name: 'empty', body: '', want: malformed },
  { name: 'not UTF-8', body: new Uint8Array([0x7b, 0x22, 0xff, 0x22, 0x3a, 0x31, 0x7d]), want: malformed },
  { name: 'null', body: 'null', want: invalid('') },
  { name: 'an array', body: `[${JSON.stringify(good)}]`, want: invalid('') },
  { name: 'a string', body: '"scan"', want: invalid('') },
  { name: 'plain text', headers: { 'content-type': 'text/plain' }, want: unsupported },
  {
    name: 'a form',
    headers: { 'content-type': 'application/x-www-form-urlencoded' },
    body: 'phase=scan',
    want: unsupported,
  },
  { name: 'a content type that is none', headers: { 'content-type': 'json' }, want: unsupported },
  {
    name: 'compressed',
    headers: { 'content-encoding': 'gzip' },
    body: new Uint8Array(gzipSync(JSON.stringify(good))),
    want: unsupported,
  },
  {
    name: 'headers of 20 KB',
    headers: { 'x-much': 'x'.repeat(20_000) },
    want: { status: 431, code: 'HEADERS_TOO_LARGE' },
  },
];

const readOnly = await createApiKey(api.pool, {
  customerId: tenant.customerId,
  name: 'reader',
  scopes: ['phases:read'],
});
const expired = await createApiKey(api.pool, {
  customerId: tenant.customerId,
  name: 'expired',
  scopes: ['phases:write'],
  expiresAt: '2020-01-01T00:00:00Z',
});
const revoked = await createApiKey(api.pool, {
  customerId: tenant.customerId,
  name: 'revoked',
  scopes: ['phases:write'],
});
await revokeApiKey(api.pool, tenant.customerId, revoked.id);

const invalidKey = { status: 401, code: 'INVALID_API_KEY' };
const invalidToken = { status: 401, code: 'INVALID_TOKEN' };
const required = { status: 401, code: 'AUTH_REQUIRED' };
const forbidden = { status: 403, code: 'NAMESPACE_FORBIDDEN' };
const notVerified = { status: 403, code: 'FORGE_ACCOUNT_NOT_VERIFIED' };
const JWT = 'eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJhIn0.c2ln';

const CALLERS: readonly Refusal[] = [
  { name: 'no key', headers: { 'x-api-key': '' }, want: required },
  { name: 'basic credentials', headers: { 'x-api-key': '', authorization: 'Basic YTpi' }, want: required },
  { name: 'a key of no shape', headers: { 'x-api-key': 'hunter2' }, want: invalidKey },
  { name: 'a key nobody has', headers: { 'x-api-key': 'rsolv_nobody_secret' }, want: invalidKey },
  { name: 'a wrong secret', headers: { 'x-api-key': `${tenant.apiKey}x` }, want: invalidKey },
  { name: 'an expired key', headers: { 'x-api-key': expired.apiKey }, want: invalidKey },
  { name: 'a revoked key', headers: { 'x-api-key': revoked.apiKey }, want: invalidKey },
  { name: 'a JWT', headers: { 'x-api-key': '', authorization: `Bearer ${JWT}` }, want: invalidToken },
  { name: 'SQL for a key', headers: { 'x-api-key': "rsolv_a'; DROP TABLE api_keys;--_b" }, want: invalidKey },
  {
    name: 'a key that may only read',
    headers: { 'x-api-key': readOnly.apiKey },
    want: { status: 403, code: 'INSUFFICIENT_SCOPE' },
  },
  { name: 'the namespace of another', body: { repo: `${stranger.owner}/shop` }, want: forbidden },
  { name: 'a namespace of nobody', body: { repo: 'nobody-at-all/shop' }, want: forbidden },
  { name: 'a namespace that another claims', body: { repo: `${claimedByStranger}/shop` }, want: forbidden },
  { name: 'a claim of its own, not verified', body: { repo: `${unverified}/shop` }, want: notVerified },
  { name: 'the same name on another forge', body: { forge: 'gitlab' }, want: forbidden },
];

/** Sends a store that is good but for what the case says. */
function sendStore({ body = {}, headers = {} }: Refusal) {
  const isObject = typeof body === 'object' && !(body instanceof Uint8Array);
  return send(api, STORE, {
    method: 'POST',
    headers: { 'content-type': 'application/json', 'x-api-key': tenant.apiKey, ...headers },
    body: isObject ? JSON.stringify({ ...good, ...body }) : body,
  });
}

/** A problem exactly as documented, with nothing besides. */
function readProblem(body: unknown): Problem {
  return problemSchema.strict().parse(body);
}

/** What a program goes by: the code, and the first field that is at fault. */
function namesOf({ code, errors }: Problem): { code: string; path?: string | undefined } {
  return { code, ...(errors && { path: errors[0]?.path }) };
}

describe.each([
  { kind: 'a field', cases: FIELDS },
  { kind: 'the content', cases: CONTENT },
  { kind: 'the body', cases: BODIES },
  { kind: 'the caller', cases: CALLERS },
])('a store is refused for $kind:', ({ cases }) => {
  test.each(cases)('$name', async (refusal) => {
    const { status, headers, body } = await sendStore(refusal);
    const problem = readProblem(body);
    expect({ status, ...namesOf(problem) }).toEqual(refusal.want);
    expect(headers.get('content-type')).toMatch(/^application\/problem\+json/);
    expect(problem).toMatchObject({ status, error: problem.detail, message: problem.detail });
    expect(problem.detail).toContain(problem.errors?.[0]?.path ?? '');
    expect(await countStored(api)).toEqual(before);
  });
});

test('whose namespace it is makes no difference to the answer, unless the caller claims it', async () => {
  const answers = await Promise.all(
    [stranger.owner, 'nobody-at-all', claimedByStranger].map(async (owner) => {
      const { body } = await sendStore({ name: owner, body: { repo: `${owner}/shop` }, want: forbidden });
      const { requestId: _, ...problem } = body;
      return JSON.stringify(problem).replaceAll(owner, 'OWNER');
    }),
  );
  expect(new Set(answers).size).toBe(1);
});

describe('a retrieve is refused:', () => {
  const repo = `${tenant.owner}/shop`;
  const queries: { name: string; query: string; key?: string; want: Refusal['want'] }[] = [
    { name: 'repo missing', query: '', want: invalid('repo') },
    { name: 'repo empty', query: 'repo=', want: invalid('repo') },
    { name: 'repo twice', query: `repo=${repo}&repo=${repo}`, want: invalid('repo') },
    { name: 'repo with a NUL', query: `repo=${tenant.owner}/a%00b`, want: invalid('repo') },
    { name: 'issue=undefined', query: `repo=${repo}&issue=undefined`, want: invalid('issue') },
    { name: 'issue empty', query: `repo=${repo}&issue=`, want: invalid('issue') },
    { name: 'issue=1.5', query: `repo=${repo}&issue=1.5`, want: invalid('issue') },
    { name: 'issue=-1', query: `repo=${repo}&issue_number=-1`, want: invalid('issue_number') },
    {
      name: 'issue beyond a double',
      query: `repo=${repo}&issue=99999999999999999999`,
      want: invalid('issue'),
    },
    { name: 'commit too long', query: `repo=${repo}&commit=${'c'.repeat(256)}`, want: invalid('commit') },
    { name: 'commit with a NUL', query: `repo=${repo}&commit=a%00`, want: invalid('commit') },
    { name: 'forge unknown', query: `repo=${repo}&forge=sourceforge`, want: invalid('forge') },
    { name: 'no key', query: `repo=${repo}`, key: '', want: required },
    { name: 'a wrong key', query: `repo=${repo}`, key: 'rsolv_nobody_secret', want: invalidKey },
    { name: 'the namespace of another', query: `repo=${stranger.owner}/shop`, want: forbidden },
    { name: 'a namespace of nobody', query: 'repo=nobody-at-all/shop', want: forbidden },
  ];

  test.each(queries)('$name', async ({ query, key = tenant.apiKey, want }) => {
    const { status, body } = await send(api, `${RETRIEVE}?${query}`, { headers: { 'x-api-key': key } });
    expect({ status, ...namesOf(readProblem(body)) }).toEqual(want);
  });

  test('by a key that may only write', async () => {
    const { apiKey } = await createApiKey(api.pool, {
      customerId: tenant.customerId,
      name: 'writer',
      scopes: ['phases:write'],
    });
    const { status, body } = await send(api, `${RETRIEVE}?repo=${repo}`, {
      headers: { 'x-api-key': apiKey },
    });
    expect({ status, code: body.code }).toEqual({ status: 403, code: 'INSUFFICIENT_SCOPE' });
    expect(body.detail).toContain('phases:read');
  });

  test('at once when its key is revoked', async () => {
    const key = await createApiKey(api.pool, {
      customerId: tenant.customerId,
      name: 'short',
      scopes: ['phases:read'],
    });
    const read = () =>
      send(api, `${RETRIEVE}?repo=${repo}`, { headers: { authorization: `Bearer ${key.apiKey}` } });
    expect((await read()).status).toBe(200);
    await revokeApiKey(api.pool, tenant.customerId, key.id);
    expect((await read()).status).toBe(401);
  });
});

describe('whatever is sent, the answer is a 4xx', () => {
  const text = fc.string({ unit: 'binary', maxLength: 300 });
  const value = fc.oneof(
    text,
    fc.integer(),
    fc.double(),
    fc.constantFrom(null, true, [], {}, '7', 'scan', 'running'),
  );
  const repo = fc.constantFrom('nobody-at-all/shop', `${stranger.owner}/shop`);
  const phase = fc.constantFrom('scan', 'validation', 'mitigate');
  const anyField = Object.fromEntries(
    [
      'issueNumber',
      'commit_sha',
      'branch',
      'pipelineRunId',
      'status',
      'startedAt',
      'errorMessage',
      'runId',
      'data',
    ].map((field) => [field, value]),
  );

  test('to a store', async () => {
    const body = fc.oneof(
      fc.record({
        phase,
        repo,
        commitSha: text,
        issueNumber: fc.nat(),
        data: fc.dictionary(text, fc.jsonValue()),
      }),
      fc.record({ phase, repo, ...anyField }, { requiredKeys: ['phase', 'repo'] }),
      fc.jsonValue(),
    );
    await fc.assert(
      fc.asyncProperty(body, async (sent) => {
        const { status, body } = await sendStore({ name: '', body: JSON.stringify(sent), want: malformed });
        expect({ status, code: readProblem(body).code }).toMatchObject({
          status: expect.toSatisfy(isClientError),
        });
      }),
      { numRuns: 300 },
    );
    expect(await countStored(api)).toEqual(before);
  });

  test('to a retrieve', async () => {
    const query = fc.record(
      { repo, issue: text, commit: text, forge: text, pipelineRunId: text },
      { requiredKeys: ['repo'] },
    );
    await fc.assert(
      fc.asyncProperty(query, async (sent) => {
        const path = `${RETRIEVE}?${new URLSearchParams(sent).toString()}`;
        const { status, body } = await send(api, path, { headers: { 'x-api-key': tenant.apiKey } });
        expect({ status, code: readProblem(body).code }).toMatchObject({
          status: expect.toSatisfy(isClientError),
        });
      }),
      { numRuns: 200 },
    );
  });

  function isClientError(status: number): boolean {
    return status >= 400 && status < 500;
  }
});
