import { randomUUID } from 'node:crypto';
import { afterEach, beforeEach, describe, expect, inject, test, vi } from 'vitest';
import { tokenIssuer } from '../../../src/api/tokens/token-issuer.ts';
import { createCustomer, findCustomer } from '../../../src/store/customers.ts';
import { verifyForgeAccount } from '../../../src/store/forge-accounts.ts';
import { freshDatabase } from '../../fixtures/database.ts';
import { freshNamespace } from '../../fixtures/kubernetes.ts';
import { runLogger } from '../../fixtures/run-log/of-test.ts';
import { claimNamespace, makeTenant, send, startApi } from './api-under-test.ts';
import { type ClaimChanges, startTokenIssuer } from './token-issuer-under-test.ts';

const AUDIENCE = 'https://phaserun.example';
const GITHUB = 'https://token.actions.githubusercontent.com';
const ELSEWHERE = 'https://id.example/realms/elsewhere';

const { url: databaseUrl } = await freshDatabase();
const [byClaim, elsewhere, github, asleep] = [
  await startTokenIssuer(),
  await startTokenIssuer('ES256'),
  await startTokenIssuer(),
  await startTokenIssuer('EdDSA'),
];
const lines: string[] = [];
const api = await startApi({
  kubeconfigPath: inject('kubeconfigPath'),
  databaseUrl,
  namespace: await freshNamespace(),
  tokenIssuers: [
    { issuer: byClaim.url, audience: AUDIENCE },
    {
      issuer: ELSEWHERE,
      jwksUrl: elsewhere.jwksUrl,
      audience: ['first', AUDIENCE],
      customer: 'elsewhere',
      scopesClaim: 'permissions',
      defaultScopes: ['phases:read'],
    },
    { kind: 'github-actions', jwksUrl: github.jwksUrl, audience: AUDIENCE },
    { issuer: asleep.url, audience: AUDIENCE },
  ].map((issuer) => tokenIssuer.parse(issuer)),
  logger: runLogger('api', (line) => lines.push(line)),
});
const tenant = await makeTenant(api.pool);
const customerName = (await findCustomer(api.pool, tenant.customerId))?.name;
const other = { customerId: (await createCustomer(api.pool, 'elsewhere')).id, owner: 'elsewhere' };
await claimNamespace(api.pool, other.customerId, other.owner);

/** What a token needs to read the results of {@link tenant}. */
const good = { aud: AUDIENCE, customer_id: tenant.customerId, scope: 'openid phases:read' };

const used: string[] = [];

function read(
  token: string,
  { owner = tenant.owner, headers = {} }: { owner?: string; headers?: object } = {},
) {
  used.push(token);
  const authorization = `Bearer ${token}`;
  return send(api, `/api/v1/phases/retrieve?repo=${owner}/shop`, { headers: { authorization, ...headers } });
}

const later = (seconds: number) => Math.floor(Date.now() / 1000) + seconds;

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['Date'] });
});
afterEach(() => {
  vi.useRealTimers();
});

function pass(seconds: number): void {
  vi.setSystemTime(Date.now() + seconds * 1000);
}

describe('a token is good', () => {
  test.each<{ name: string; claims: ClaimChanges }>([
    { name: 'that names the customer by id', claims: {} },
    { name: 'that names the customer by name', claims: { customer_id: customerName } },
    { name: 'meant for others too', claims: { aud: ['account', AUDIENCE] } },
    { name: 'with scopes as a list', claims: { scope: ['phases:read', 'email'] } },
    { name: 'that ended within the tolerance', claims: { exp: later(-50) } },
    { name: 'that begins within the tolerance', claims: { nbf: later(50) } },
  ])('$name', async ({ claims }) => {
    expect(await read(await byClaim.sign({ ...good, ...claims }))).toMatchObject({ status: 200, body: {} });
  });

  test('whose issuer has its keys at another address, speaks for one customer, and names no scope', async () => {
    const token = await elsewhere.sign({ iss: ELSEWHERE, aud: AUDIENCE, customer_id: tenant.customerId });
    expect((await read(token, { owner: other.owner })).status).toBe(200);
    expect((await read(token)).body.code).toBe('NAMESPACE_FORBIDDEN');
  });

  test('and its scopes are what the issuer says, no more', async () => {
    const claims = { iss: ELSEWHERE, aud: AUDIENCE, permissions: ['sessions'], scope: 'phases:read' };
    expect(await read(await elsewhere.sign(claims), { owner: other.owner })).toMatchObject({
      status: 403,
      body: { code: 'INSUFFICIENT_SCOPE' },
    });
  });
});

describe('a token is refused', () => {
  test.each<{ name: string; sign: () => Promise<string>; logged: object }>([
    {
      name: 'that has expired',
      sign: () => byClaim.sign({ ...good, exp: later(-70) }),
      logged: { reason: 'expired' },
    },
    {
      name: 'that never expires',
      sign: () => byClaim.sign({ ...good, exp: null }),
      logged: { reason: 'claim', claim: 'exp' },
    },
    {
      name: 'that is not valid yet',
      sign: () => byClaim.sign({ ...good, nbf: later(70) }),
      logged: { reason: 'claim', claim: 'nbf' },
    },
    {
      name: 'for another audience',
      sign: () => byClaim.sign({ ...good, aud: 'https://other.example' }),
      logged: { reason: 'audience', expected: AUDIENCE, found: '"https://other.example"' },
    },
    {
      name: 'for no audience',
      sign: () => byClaim.sign({ ...good, aud: null }),
      logged: { reason: 'audience', expected: AUDIENCE },
    },
    {
      name: 'of another issuer',
      sign: () => byClaim.sign({ ...good, iss: `${byClaim.url}/` }),
      logged: { reason: 'issuer', expected: [byClaim.url, ELSEWHERE, GITHUB, asleep.url] },
    },
    {
      name: 'of one issuer in the name of another',
      sign: () => byClaim.sign({ ...good, iss: ELSEWHERE }),
      logged: { reason: 'unknown_key' },
    },
    {
      name: 'without a signature',
      sign: () => byClaim.forge('none', good),
      logged: { reason: 'algorithm' },
    },
    {
      name: 'whose secret is the public key',
      sign: () => byClaim.forge('HS256', good),
      logged: { reason: 'algorithm' },
    },
    {
      name: 'with an unknown key',
      sign: () => byClaim.sign(good, { kid: randomUUID() }),
      logged: { reason: 'unknown_key' },
    },
    {
      name: 'that names no key',
      sign: () => byClaim.sign(good, { kid: undefined }),
      logged: { reason: 'no_key_id' },
    },
    {
      name: 'that was tampered with',
      sign: async () => tamper(await byClaim.sign(good)),
      logged: { reason: 'signature' },
    },
    {
      name: 'that names no customer',
      sign: () => byClaim.sign({ ...good, customer_id: null }),
      logged: { reason: 'claim', claim: 'customer_id' },
    },
    {
      name: 'that names a customer with a number',
      sign: () => byClaim.sign({ ...good, customer_id: 7 }),
      logged: { reason: 'claim', claim: 'customer_id' },
    },
    {
      name: 'that names a customer with half a character',
      sign: () => byClaim.sign({ ...good, customer_id: 'x\ud800' }),
      logged: { reason: 'claim', claim: 'customer_id' },
    },
    {
      name: 'whose subject holds NUL, which the audit cannot keep',
      sign: () => byClaim.sign({ ...good, sub: 'x\0y' }),
      logged: { reason: 'claim', claim: 'sub' },
    },
    {
      name: 'whose subject holds half a character',
      sign: () => byClaim.sign({ ...good, sub: 'x\ud800' }),
      logged: { reason: 'claim', claim: 'sub' },
    },
    {
      name: 'that is longer than any',
      sign: () => byClaim.sign({ ...good, roles: 'x'.repeat(8_192) }),
      logged: { reason: 'too_long' },
    },
    { name: 'that is none', sign: () => Promise.resolve('a.b.c'), logged: { reason: 'malformed' } },
    { name: 'that is encrypted', sign: () => Promise.resolve('a.b.c.d.e'), logged: { reason: 'malformed' } },
  ])('$name', async ({ sign, logged }) => {
    const from = lines.length;
    const { status, headers, body } = await read(await sign());
    expect({ status, code: body.code, detail: body.detail }).toEqual({
      status: 401,
      code: 'INVALID_TOKEN',
      detail: 'The token is not valid here, or no longer',
    });
    expect(headers.get('www-authenticate')).toBe('Bearer realm="phaserun", error="invalid_token"');
    expect(refusalIn(lines.slice(from))).toMatchObject(logged);
  });

  test.each(['no-such-customer', randomUUID()])(
    'that names the customer %s, whom nobody knows',
    async (customer_id) => {
      expect(await read(await byClaim.sign({ ...good, customer_id }))).toMatchObject({
        status: 401,
        body: { code: 'INVALID_TOKEN', detail: 'The token is not valid here, or no longer' },
      });
    },
  );

  test.each([{ scope: 'openid' }, { scope: null }, { scope: 'phases:write' }])(
    'with $scope for scope',
    async (claims) => {
      const { status, headers, body } = await read(await byClaim.sign({ ...good, ...claims }));
      expect({ status, code: body.code }).toEqual({ status: 403, code: 'INSUFFICIENT_SCOPE' });
      expect(headers.get('www-authenticate')).toBe(
        'Bearer realm="phaserun", error="insufficient_scope", scope="phases:read"',
      );
    },
  );

  test('in x-api-key', async () => {
    const token = await byClaim.sign(good);
    expect((await read(token, { headers: { 'x-api-key': token } })).body.code).toBe('INVALID_API_KEY');
  });

  test('in the namespace of another customer', async () => {
    expect(await read(await byClaim.sign(good), { owner: other.owner })).toMatchObject({
      status: 403,
      body: { code: 'NAMESPACE_FORBIDDEN' },
    });
  });

  test('by an installation that believes no issuer', async () => {
    const unset = await startApi({
      kubeconfigPath: inject('kubeconfigPath'),
      databaseUrl,
      namespace: api.namespace,
    });
    const authorization = `Bearer ${await byClaim.sign(good)}`;
    const path = `/api/v1/phases/retrieve?repo=${tenant.owner}/shop`;
    expect(await send(unset, path, { headers: { authorization } })).toMatchObject({
      status: 401,
      body: { code: 'INVALID_TOKEN' },
    });
    await unset.close();
  });
});

describe('keys', () => {
  test('that were rotated are picked up, and the old ones are good no more', async () => {
    const before = await byClaim.sign(good);
    expect((await read(before)).status).toBe(200);
    await byClaim.rotate();
    const after = await byClaim.sign(good);
    pass(31);
    expect((await read(after)).status).toBe(200);
    expect((await read(before)).body.code).toBe('INVALID_TOKEN');
  });

  test('that cannot be had are no reason to throw a token away', async () => {
    await asleep.stop();
    const token = await asleep.sign(good);
    const { status, headers, body } = await read(token);
    expect({ status, code: body.code }).toEqual({ status: 503, code: 'ISSUER_UNAVAILABLE' });
    expect(Number(headers.get('retry-after'))).toBeGreaterThan(0);
    await asleep.start();
    pass(6);
    expect((await read(token)).status).toBe(200);
  });

  test('that are at hand outlast an issuer that is away, for an hour', async () => {
    expect((await read(await asleep.sign(good))).status).toBe(200);
    await asleep.stop();
    pass(50 * 60);
    expect((await read(await asleep.sign(good))).status).toBe(200);
    expect((await read(await asleep.sign(good, { kid: 'new' }))).status).toBe(503);
    pass(11 * 60);
    expect((await read(await asleep.sign(good))).status).toBe(503);
  });
});

describe('the token of a GitHub Actions job', () => {
  const job = {
    iss: GITHUB,
    aud: AUDIENCE,
    sub: `repo:${tenant.owner}/shop:ref:refs/heads/main`,
    repository: `${tenant.owner.toUpperCase()}/Shop`,
    repository_owner: tenant.owner.toUpperCase(),
  };

  test('reads and writes its own repository, in whatever case', async () => {
    const token = await github.sign(job);
    expect((await read(token)).status).toBe(200);
    expect((await storeScan(token, `${tenant.owner}/SHOP`)).status).toBe(202);
  });

  test.each([
    { name: 'another repository of its owner', repository: `${tenant.owner}/till` },
    { name: 'the repository of another customer', repository: `${other.owner}/shop` },
    { name: 'a repository of nobody', repository: 'nobody-at-all/shop' },
  ])('opens no door to $name', async ({ repository }) => {
    const want = {
      status: 403,
      body: {
        code: 'NAMESPACE_FORBIDDEN',
        detail: `The token of this job opens ${tenant.owner}/shop alone`,
      },
    };
    const token = await github.sign(job);
    expect(await send(api, `/api/v1/phases/retrieve?repo=${repository}`, bearer(token))).toMatchObject(want);
    expect(await storeScan(token, repository)).toMatchObject(want);
  });

  test('of an owner that nobody has verified opens nothing', async () => {
    const token = await github.sign({
      ...job,
      repository: 'nobody-at-all/shop',
      repository_owner: 'nobody-at-all',
    });
    for (const owner of ['nobody-at-all', tenant.owner]) {
      expect(await read(token, { owner })).toMatchObject({
        status: 403,
        body: { code: 'NAMESPACE_FORBIDDEN' },
      });
    }
  });

  test.each([
    { name: 'no repository', claims: { repository: null } },
    { name: 'a repository that is none', claims: { repository: 'shop' } },
    { name: 'no owner', claims: { repository_owner: null } },
    { name: 'the owner of another repository', claims: { repository_owner: other.owner } },
    { name: 'an owner id that is none', claims: { repository_owner_id: "1'" } },
    { name: 'another audience', claims: { aud: `https://github.com/${tenant.owner}` } },
  ])('with $name is refused', async ({ claims }) => {
    expect((await read(await github.sign({ ...job, ...claims }))).body.code).toBe('INVALID_TOKEN');
  });

  describe('where an owner is pinned', () => {
    const PINNED = '4217';

    /** A job of an owner whose namespace is pinned once it was let in. */
    async function pin(id: string | null) {
      const { owner, customerId } = await makeTenant(api.pool);
      const repository = `${owner}/shop`;
      const token = await github.sign({
        ...job,
        repository,
        repository_owner: owner,
        repository_owner_id: id,
      });
      expect((await read(token, { owner })).status).toBe(200);
      const account = { forge: 'github', namespace: owner, ownerId: PINNED } as const;
      await verifyForgeAccount(api.pool, customerId, account);
      return { owner, token, repository };
    }

    test('its jobs read and write as before', async () => {
      const { owner, token, repository } = await pin(PINNED);
      expect((await read(token, { owner })).status).toBe(200);
      expect((await storeScan(token, repository)).status).toBe(202);
    });

    test.each([
      { name: 'of another who has the name now', id: '999999' },
      { name: 'that does not say whose it is', id: null },
    ])('a job $name is a stranger', async ({ id }) => {
      const { owner, token, repository } = await pin(id);
      const want = {
        status: 403,
        body: {
          code: 'NAMESPACE_FORBIDDEN',
          detail: `You have no verified github account for the namespace ${owner} of this repository`,
        },
      };
      expect(await read(token, { owner })).toMatchObject(want);
      expect(await storeScan(token, repository)).toMatchObject(want);
    });
  });

  test('names no customer by a claim', async () => {
    const token = await github.sign({ ...job, customer_id: other.customerId, scope: 'sessions admin' });
    expect((await read(token, { owner: other.owner })).status).toBe(403);
  });
});

test('no token, and no part of its signature, is in the log', () => {
  const log = lines.join('');
  const signatures = used.map((token) => token.split('.').at(-1) ?? '').filter((part) => part.length > 20);
  expect(signatures.length).toBeGreaterThan(20);
  expect(signatures.filter((signature) => log.includes(signature))).toEqual([]);
});

function bearer(token: string): RequestInit {
  used.push(token);
  return { headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' } };
}

function storeScan(token: string, repo: string) {
  const body = JSON.stringify({ phase: 'scan', repo, commitSha: '7776c71', data: {} });
  return send(api, '/api/v1/phases/store', { ...bearer(token), method: 'POST', body });
}

/** The same claims but for one letter, under the same signature. */
function tamper(token: string): string {
  const [header, payload = '', signature] = token.split('.');
  const claims = Buffer.from(payload, 'base64url').toString().replace('phases:read', 'phases:wrong');
  return [header, Buffer.from(claims).toString('base64url'), signature].join('.');
}

function refusalIn(log: readonly string[]): unknown {
  return log.map((line) => JSON.parse(line)).find(({ msg }) => msg === 'token refused');
}
