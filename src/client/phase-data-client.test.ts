import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import {
  closedPort,
  createScriptedServer,
  cutShort,
  json,
  type Reply,
  type ScriptedServer,
  stored,
} from '../../test/fixtures/scripted-server.ts';
import {
  ClientUsageError,
  PhaseDataClient,
  type PhaseDataClientOptions,
  type PhaseMetadata,
  type PhaseSpelling,
  PlatformRefusedError,
  PlatformUnreachableError,
} from './phase-data-client.ts';
import { currentCommit } from './working-copy.ts';

/** What the machine that runs the tests may have set. */
const VARIABLES = [
  'RSOLV_API_URL',
  'RSOLV_API_KEY',
  'USE_PLATFORM_STORAGE',
  'ACTIONS_ID_TOKEN_REQUEST_URL',
  'ACTIONS_ID_TOKEN_REQUEST_TOKEN',
];

const issue7: PhaseMetadata = { repo: 'acme/app', issueNumber: 7, commitSha: '7776c71' };

let server: ScriptedServer;
let folder: string;
let warnings: string[];

beforeEach(async () => {
  for (const name of VARIABLES) vi.stubEnv(name, '');
  server = await createScriptedServer();
  server.replies = [stored('row-1')];
  folder = join(await mkdtemp(join(tmpdir(), 'client-')), 'phase-data');
  warnings = [];
});

afterEach(async () => {
  vi.unstubAllEnvs();
  await server.close();
  await rm(join(folder, '..'), { recursive: true });
});

describe('storePhaseResults', () => {
  it('posts the result and says that it is on the platform', async () => {
    const result = await client().storePhaseResults(
      'validate',
      { validated: true },
      { ...issue7, branch: 'main' },
    );
    expect(result).toEqual({
      success: true,
      storage: 'platform',
      phase: 'validation',
      id: 'row-1',
      persisted: true,
      resent: 0,
    });
    expect(server.received).toMatchObject([
      {
        method: 'POST',
        url: '/api/v1/phases/store',
        headers: { 'x-api-key': 'rsolv_id_secret', 'content-type': 'application/json' },
        body: { ...issue7, branch: 'main', phase: 'validation', data: { validated: true } },
      },
    ]);
    expect(server.received[0]?.headers['idempotency-key']).toMatch(/^[0-9a-f-]{36}$/);
    expect(await filesKept()).toEqual([]);
    expect(warnings).toEqual([]);
  });

  it('passes on that a result is durable but not yet a row', async () => {
    server.replies = [
      json(202, {
        success: true,
        id: 'row-1',
        phaseRun: { namespace: 'acme', name: 'v' },
        sessionState: 'active',
      }),
    ];
    const result = await client().storePhaseResults('scan', {}, issue7);
    expect(result).toMatchObject({
      storage: 'platform',
      persisted: false,
      phaseRun: { namespace: 'acme', name: 'v' },
      sessionState: 'active',
    });
  });

  it('keeps the path of an address that has one', async () => {
    await client({ baseUrl: `${server.url}/phases-api/` }).storePhaseResults('scan', {}, issue7);
    expect(server.received[0]?.url).toBe('/phases-api/api/v1/phases/store');
  });

  it.each<{ name: string; failures: readonly Reply[] }>([
    { name: '503', failures: [json(503, { detail: 'Postgres is away' })] },
    { name: '500 without a word', failures: [(response) => response.writeHead(500).end()] },
    { name: '429', failures: [json(429, {}, { 'retry-after': '0' })] },
    { name: '409 of its own earlier attempt', failures: [json(409, {}, { 'retry-after': '0' })] },
    { name: 'a reset', failures: [(response) => response.socket?.resetAndDestroy()] },
    { name: 'an answer cut short', failures: [cutShort] },
    { name: 'several in a row', failures: [json(502, {}), (response) => response.destroy(), json(504, {})] },
  ])('tries again after $name, under the same key', async ({ failures }) => {
    server.replies = [...failures, stored('row-9')];
    const result = await client().storePhaseResults('scan', { n: 1 }, issue7);
    expect(result).toMatchObject({ storage: 'platform', id: 'row-9' });
    expect(server.received).toHaveLength(failures.length + 1);
    expect(new Set(server.received.map(({ headers }) => headers['idempotency-key'])).size).toBe(1);
    expect(new Set(server.received.map(({ body }) => JSON.stringify(body))).size).toBe(1);
    expect(await filesKept()).toEqual([]);
  });

  it('gives up at once when the server asks for more time than the call has', async () => {
    server.replies = [json(503, {}, { 'retry-after': '3600' })];
    expect(await client().storePhaseResults('scan', {}, issue7)).toMatchObject({ storage: 'local' });
    expect(server.received).toHaveLength(1);
  });

  it.each([400, 401, 403, 404, 408, 409, 413, 415, 422])(
    'never tries again after %i, and throws',
    async (status) => {
      server.replies = [json(status, { code: 'SAID_NO', detail: 'commitSha is missing', requestId: 'r-1' })];
      const call = client().storePhaseResults('scan', {}, issue7);
      await expect(call).rejects.toBeInstanceOf(PlatformRefusedError);
      await expect(call).rejects.toMatchObject({
        status,
        message: `The platform refused with ${status} SAID_NO: commitSha is missing (request r-1)`,
      });
      expect(server.received).toHaveLength(1);
      expect(await filesKept()).toEqual([]);
    },
  );

  it.each<{ name: string; reply: Reply; want: RegExp }>([
    {
      name: 'a login page',
      reply: (response) => response.writeHead(200).end('<html>'),
      want: /without a JSON object/,
    },
    { name: 'success without an id', reply: json(200, { success: true }), want: /without an id/ },
    { name: 'a 200 that says no', reply: json(200, { success: false, id: 'x' }), want: /without an id/ },
    {
      name: 'an empty 204',
      reply: (response) => response.writeHead(204).end(),
      want: /without a JSON object/,
    },
    {
      name: 'a redirect',
      reply: json(302, {}, { location: 'https://login.example' }),
      want: /redirect to https:\/\/login/,
    },
  ])('does not take $name for an acknowledgement', async ({ reply, want }) => {
    server.replies = [reply];
    const result = await client().storePhaseResults('scan', {}, issue7);
    expect(result).toMatchObject({ storage: 'local', warning: expect.stringMatching(want) });
    expect(server.received).toHaveLength(1);
    expect(await filesKept()).toHaveLength(1);
  });

  it.each<{ name: string; options: () => Promise<PhaseDataClientOptions> }>([
    { name: 'nobody listens', options: async () => ({ baseUrl: `http://127.0.0.1:${await closedPort()}` }) },
    { name: 'the name is unknown', options: async () => ({ baseUrl: 'http://phaserun.invalid' }) },
    { name: 'no answer comes', options: async () => ({ timeoutMs: 50, baseUrl: answering(() => {}) }) },
    { name: 'it answers 503 for long', options: async () => ({ baseUrl: answering(json(503, {})) }) },
  ])('keeps the result on disk when $name, loudly', async ({ options }) => {
    const result = await client(await options()).storePhaseResults('validation', { n: 1 }, issue7);
    const file = join(folder, 'acme-app-7-validation.json');
    expect(result).toMatchObject({
      success: true,
      storage: 'local',
      file,
      warning: expect.stringContaining(file),
    });
    expect(warnings).toEqual([(result as { warning: string }).warning]);
  });

  it('fails instead where the platform is required', async () => {
    server.replies = [json(503, { detail: 'Postgres is away' })];
    const call = client({ requirePlatform: true }).storePhaseResults('scan', {}, issue7);
    await expect(call).rejects.toBeInstanceOf(PlatformUnreachableError);
    await expect(call).rejects.toThrow(/answered 503: Postgres is away/);
    expect(await filesKept()).toEqual([]);
  });

  it('says so when the disk takes it neither', async () => {
    server.replies = [json(503, {})];
    await writeFile(join(folder, '..', 'file'), '');
    const call = client({ folder: join(folder, '..', 'file') }).storePhaseResults('scan', {}, issue7);
    await expect(call).rejects.toThrow(/answered 503.*could not be kept on this disk either/);
  });

  it('sends nothing that is wrong by itself', async () => {
    await expect(
      client().storePhaseResults('mitigation', {}, { repo: 'acme/app', commitSha: 'c' }),
    ).rejects.toThrow(ClientUsageError);
    expect(server.received).toEqual([]);
  });
});

describe('retrievePhaseResults', () => {
  it('returns what the platform answers', async () => {
    const answer = { scan: { vulnerabilities: [] }, validation: { 'issue-7': { validated: true } } };
    server.replies = [json(200, answer)];
    expect(await client().retrievePhaseResults('group/sub/app', 7, 'a+b', { forge: 'gitlab' })).toEqual(
      answer,
    );
    const url = new URL(server.received[0]?.url ?? '', server.url);
    expect(url.pathname).toBe('/api/v1/phases/retrieve');
    expect(Object.fromEntries(url.searchParams)).toEqual({
      repo: 'group/sub/app',
      issue: '7',
      commit: 'a+b',
      forge: 'gitlab',
    });
  });

  it('asks for the scan alone without an issue', async () => {
    server.replies = [json(200, {})];
    expect(await client().retrievePhaseResults('acme/app', undefined, 'c1')).toEqual({});
    expect(server.received[0]?.url).toBe('/api/v1/phases/retrieve?repo=acme%2Fapp&commit=c1');
  });

  it('answers from disk while the platform is away, and warns', async () => {
    await outageResult('scan', { n: 1 }, { repo: 'acme/app', commitSha: 'c1' });
    await outageResult('validation', { validation: { 'issue-7': { n: 2 } } }, issue7);
    await outageResult('validation', { n: 3 }, { ...issue7, status: 'running' });
    await outageResult('mitigation', { n: 4 }, { ...issue7, issueNumber: 8 });
    server.replies = [json(503, {})];
    expect(await client().retrievePhaseResults('Acme/App', 7, 'c1')).toEqual({
      scan: { n: 1 },
      validation: { 'issue-7': { n: 2 } },
    });
    expect(warnings).toEqual([expect.stringMatching(/Answering from the results on this disk alone/)]);
  });

  it('prefers the platform where it has something', async () => {
    await outageResult('validation', { n: 'old' }, issue7);
    await outageResult('mitigation', { n: 'mine' }, issue7);
    const answer = json(200, { validation: { 'issue-7': { n: 'new' } } });
    server.replies = [
      (response, request) => (request.method === 'POST' ? json(503, {}) : answer)(response, request),
    ];
    expect(await client().retrievePhaseResults('acme/app', 7, 'c1')).toEqual({
      validation: { 'issue-7': { n: 'new' } },
      mitigation: { 'issue-7': { n: 'mine' } },
    });
  });

  it('throws what the platform refuses', async () => {
    server.replies = [json(403, { code: 'FORGE_ACCOUNT_NOT_VERIFIED', message: 'Not yours.' })];
    await expect(client().retrievePhaseResults('other/app', 7, 'c1')).rejects.toThrow(
      'The platform refused with 403 FORGE_ACCOUNT_NOT_VERIFIED: Not yours.',
    );
  });

  it('fails where the platform is required and away', async () => {
    server.replies = [json(503, {})];
    const call = client({ requirePlatform: true }).retrievePhaseResults('acme/app', 7, 'c1');
    await expect(call).rejects.toBeInstanceOf(PlatformUnreachableError);
  });
});

describe('validatePhaseTransition', () => {
  it.each<{
    from: 'scan' | 'validate' | 'mitigate';
    to: 'scan' | 'validation' | 'mitigation';
    want: boolean;
  }>([
    { from: 'scan', to: 'validation', want: true },
    { from: 'validate', to: 'mitigation', want: true },
    { from: 'scan', to: 'mitigation', want: false },
    { from: 'mitigate', to: 'scan', want: false },
    { from: 'validate', to: 'validation', want: false },
  ])('$from to $to at the current commit: $want', async ({ from, to, want }) => {
    const commit = (await currentCommit()) ?? 'outside a repository';
    expect(await client().validatePhaseTransition(from, to, commit)).toBe(want);
  });

  it('is never allowed at another commit', async () => {
    expect(await client().validatePhaseTransition('scan', 'validation', '0'.repeat(40))).toBe(false);
  });
});

describe('settings', () => {
  it('come from the environment when the caller says nothing', async () => {
    vi.stubEnv('RSOLV_API_URL', server.url);
    vi.stubEnv('RSOLV_API_KEY', 'rsolv_env_key\n');
    await new PhaseDataClient({ folder }).storePhaseResults('scan', {}, issue7);
    expect(server.received[0]?.headers['x-api-key']).toBe('rsolv_env_key');
  });

  it.each<{ name: string; options: PhaseDataClientOptions; want: RegExp }>([
    { name: 'no address', options: { baseUrl: '' }, want: /set RSOLV_API_URL/ },
    {
      name: 'an address without a scheme',
      options: { baseUrl: 'localhost:8088' },
      want: /RSOLV_API_URL must be a URL/,
    },
    { name: 'no credentials', options: { apiKey: '' }, want: /set RSOLV_API_KEY/ },
    { name: 'a key of two lines', options: { apiKey: 'a\nb' }, want: /holds characters that no key has/ },
    {
      name: 'an address with a password',
      options: { baseUrl: 'http://me:secret@localhost' },
      want: /must hold no user name and no password/,
    },
    {
      name: 'both ways at once',
      options: { usePlatform: false, requirePlatform: true },
      want: /contradicts/,
    },
  ])('$name: an error that says what to do', ({ options, want }) => {
    expect(() => client(options)).toThrow(ClientUsageError);
    expect(() => client(options)).toThrow(want);
  });

  it('are not repeated by the error that refuses them, nor by its cause', () => {
    const attempt = () => client({ apiKey: 'rsolv_id_secret\nx' });
    expect(attempt).toThrow(expect.not.objectContaining({ cause: expect.anything() }));
  });

  it('turn the platform off, and then nothing is asked of it', async () => {
    vi.stubEnv('USE_PLATFORM_STORAGE', 'false');
    const offline = new PhaseDataClient({ folder, warn: (message) => warnings.push(message) });
    expect(await offline.storePhaseResults('validation', { n: 1 }, issue7)).toMatchObject({
      storage: 'local',
    });
    expect(await offline.retrievePhaseResults('acme/app', 7, 'c1')).toEqual({
      validation: { 'issue-7': { n: 1 } },
    });
    expect(server.received).toEqual([]);
  });
});

describe('a GitHub Actions job without a key', () => {
  beforeEach(() => {
    vi.stubEnv('ACTIONS_ID_TOKEN_REQUEST_URL', `${server.url}/token?api-version=2.0`);
    vi.stubEnv('ACTIONS_ID_TOKEN_REQUEST_TOKEN', 'of-the-job');
  });

  it('sends an OIDC token made for the platform', async () => {
    server.replies = [json(200, { value: 'a.b.c' }), stored('row-1')];
    expect(await client({ apiKey: '' }).storePhaseResults('scan', {}, issue7)).toMatchObject({
      storage: 'platform',
    });
    const asked = new URL(server.received[0]?.url ?? '', server.url);
    expect(Object.fromEntries(asked.searchParams)).toEqual({ 'api-version': '2.0', audience: server.url });
    expect(server.received.map(({ headers }) => headers.authorization)).toEqual([
      'Bearer of-the-job',
      'Bearer a.b.c',
    ]);
    expect(server.received[1]?.headers).not.toHaveProperty('x-api-key');
  });

  it('tries again when GitHub is away for a moment', async () => {
    server.replies = [json(503, {}), json(200, { value: 'a.b.c' }), stored('row-1')];
    expect(await client({ apiKey: '' }).storePhaseResults('scan', {}, issue7)).toMatchObject({
      storage: 'platform',
    });
  });

  it('keeps the result when GitHub gives no token', async () => {
    server.replies = [json(403, {})];
    const result = await client({ apiKey: '' }).storePhaseResults('scan', {}, issue7);
    expect(result).toMatchObject({
      storage: 'local',
      warning: expect.stringMatching(/GitHub gave no OIDC token/),
    });
  });
});

function client(options: PhaseDataClientOptions = {}): PhaseDataClient {
  return new PhaseDataClient({
    apiKey: 'rsolv_id_secret',
    baseUrl: server.url,
    folder,
    retry: { attempts: 4, baseMs: 1, capMs: 2, totalMs: 30_000 },
    warn: (message) => warnings.push(message),
    ...options,
  });
}

/** A result that an outage left on disk; forgets the warning of it. */
async function outageResult(
  phase: PhaseSpelling,
  data: Record<string, unknown>,
  metadata: PhaseMetadata,
): Promise<void> {
  await client({ usePlatform: false }).storePhaseResults(phase, data, metadata);
  warnings.length = 0;
}

async function filesKept(): Promise<readonly string[]> {
  return readdir(folder).catch(() => []);
}

function answering(reply: Reply): string {
  server.replies = [reply];
  return server.url;
}
