import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { tokenIssuer } from '../../../src/api/tokens/token-issuer.ts';
import {
  ClientUsageError,
  PhaseDataClient,
  type PhaseDataClientOptions,
  PlatformRefusedError,
  PlatformUnreachableError,
} from '../../../src/client/phase-data-client.ts';
import { currentCommit } from '../../../src/client/working-copy.ts';
import {
  closedPort,
  createScriptedServer,
  json,
  type ScriptedServer,
} from '../../fixtures/scripted-server.ts';
import { makeTenant } from '../api/api-under-test.ts';
import { startTokenIssuer } from '../api/token-issuer-under-test.ts';
import { runCli } from '../cli/run-cli.ts';
import { countRows } from '../store/rows.ts';
import { createContractWorlds, freshRepository, startReplica } from './contract-worlds.ts';
import { forwardTo, losingTheAnswerOf } from './forwarding.ts';

/** What the machine that runs the tests may have set. */
const VARIABLES = [
  'RSOLV_API_URL',
  'RSOLV_API_KEY',
  'USE_PLATFORM_STORAGE',
  'CI',
  'GITHUB_ACTIONS',
  'ACTIONS_ID_TOKEN_REQUEST_URL',
  'ACTIONS_ID_TOKEN_REQUEST_TOKEN',
];

/** Between the runners of these tests and the platform: it passes on what it does not answer itself. */
let door: ScriptedServer;
let folder: string;
let warnings: string[];

describe.each(await createContractWorlds())('$world', async ({ api, options }) => {
  const tenant = await makeTenant(api.pool);
  const platform = forwardTo(api.url);
  const away = json(503, { detail: 'Postgres is away' });

  beforeEach(async () => {
    for (const name of VARIABLES) vi.stubEnv(name, '');
    door = await createScriptedServer();
    door.replies = [platform];
    folder = join(await mkdtemp(join(tmpdir(), 'client-')), '.rsolv', 'phase-data');
    warnings = [];
  });
  afterEach(async () => {
    vi.unstubAllEnvs();
    await door.close();
    await rm(join(folder, '..', '..'), { recursive: true });
  });

  const makeClient = (changes: PhaseDataClientOptions = {}) =>
    new PhaseDataClient({
      apiKey: tenant.apiKey,
      baseUrl: door.url,
      folder,
      retry: { attempts: 3, baseMs: 1, capMs: 2, totalMs: 30_000 },
      warn: (message) => warnings.push(message),
      ...changes,
    });
  const issue = (repo = freshRepository(tenant)) => ({ repo, issueNumber: 7, commitSha: '7776c71' });
  const filesKept = () => readdir(folder).catch(() => []);
  const keysSent = () => door.received.map(({ headers }) => headers['idempotency-key']);
  const dataSent = () => door.received.map(({ body }) => body['data']);

  test('`RSOLV_API_URL`, `RSOLV_API_KEY`: are read where the caller gives neither', async () => {
    vi.stubEnv('RSOLV_API_URL', door.url);
    vi.stubEnv('RSOLV_API_KEY', tenant.apiKey);
    const result = await new PhaseDataClient({ folder }).storePhaseResults('scan', { n: 1 }, issue());
    expect(result).toMatchObject({ success: true, storage: 'platform', persisted: true });
    const given = { apiKey: 'rsolv_nobody_nothing', baseUrl: door.url, folder };
    const refused = new PhaseDataClient(given).storePhaseResults('scan', { n: 1 }, issue());
    await expect(refused).rejects.toMatchObject({ status: 401 });
  });

  test('`USE_PLATFORM_STORAGE`: only the literal false turns the platform off', async () => {
    for (const value of ['0', 'no', 'FALSE', 'true', '']) {
      vi.stubEnv('USE_PLATFORM_STORAGE', value);
      const result = await makeClient().storePhaseResults('scan', { value }, issue());
      expect(result.storage).toBe('platform');
    }
    vi.stubEnv('USE_PLATFORM_STORAGE', 'false');
    const before = door.received.length;
    const result = await makeClient().storePhaseResults('scan', { n: 1 }, issue());
    expect([result.storage, door.received.length]).toEqual(['local', before]);
  });

  test('`storePhaseResults`, `retrievePhaseResults`, `validatePhaseTransition`: store, find and allow', async () => {
    const client = makeClient();
    const where = issue();
    await client.storePhaseResults('scan', { n: 1 }, where);
    await client.storePhaseResults('validate', { validated: true }, where);
    await client.storePhaseResults('mitigation', { fixed: true }, { ...where, commitSha: 'fix' });
    expect(await client.retrievePhaseResults(where.repo, 7, where.commitSha)).toEqual({
      scan: { n: 1 },
      validation: { 'issue-7': { validated: true } },
      mitigation: { 'issue-7': { fixed: true } },
    });
    const commit = (await currentCommit()) ?? 'outside a repository';
    expect(await client.validatePhaseTransition('validate', 'mitigate', commit)).toBe(true);
    expect(await client.validatePhaseTransition('scan', 'mitigate', commit)).toBe(false);
    expect(await client.validatePhaseTransition('validate', 'mitigate', 'another')).toBe(false);
  });

  test('Without a base URL: the error says which variable to set, and names no host of a vendor', () => {
    const attempt = () => makeClient({ baseUrl: undefined });
    expect(attempt).toThrow(ClientUsageError);
    expect(attempt).toThrow(/set RSOLV_API_URL, for example to http:\/\/localhost:8088/);
    expect(attempt).not.toThrow(/rsolv\.(dev|ai|com)/);
  });

  test('Platform first: if it cannot be reached, the local file, and a warning', async () => {
    const where = issue();
    const reached = await makeClient().storePhaseResults('scan', { n: 0 }, where);
    expect([reached.storage, await filesKept()]).toEqual(['platform', []]);
    const offline = makeClient({ baseUrl: `http://127.0.0.1:${await closedPort()}` });
    const names = ['7-validation', 'scan-scan'].map((name) => `${where.repo.replace('/', '-')}-${name}.json`);
    const result = await offline.storePhaseResults('validation', { n: 1 }, where);
    await offline.storePhaseResults('scan', { n: 2 }, { repo: where.repo, commitSha: 'c1' });
    const file = join(folder, names[0] ?? '');
    expect(result).toMatchObject({
      success: true,
      storage: 'local',
      file,
      warning: expect.stringContaining(file),
    });
    expect(warnings[0]).toBe((result as { warning: string }).warning);
    expect(await filesKept()).toEqual(names);
    expect(JSON.parse(await readFile(file, 'utf8'))).toMatchObject({
      phase: 'validation',
      data: { n: 1 },
      metadata: where,
      timestamp: expect.stringMatching(/^\d{4}-\d\d-\d\dT/),
    });
  });

  test('Re-sent by the next call: before its own store', async () => {
    const where = issue();
    door.replies = [away];
    await makeClient().storePhaseResults('validation', { n: 1 }, where);
    door.received.length = 0;
    door.replies = [platform];
    const result = await makeClient().storePhaseResults('mitigation', { n: 2 }, where);
    expect(result).toMatchObject({ storage: 'platform', resent: 1 });
    expect([dataSent(), await filesKept()]).toEqual([[{ n: 1 }, { n: 2 }], []]);
    expect(await makeClient().retrievePhaseResults(where.repo, 7, '7776c71')).toEqual({
      validation: { 'issue-7': { n: 1 } },
      mitigation: { 'issue-7': { n: 2 } },
    });
  });

  test('One Idempotency-Key: for a store, its retries and re-sends, kept in the file', async () => {
    const runner = await makeTenant(api.pool);
    const client = makeClient({ apiKey: runner.apiKey });
    const where = issue(freshRepository(runner));
    const lost = losingTheAnswerOf(api.url);
    door.replies = [lost, lost, lost, away];
    expect(await client.storePhaseResults('validation', { n: 1 }, where)).toMatchObject({ storage: 'local' });
    const [name = ''] = await filesKept();
    const { idempotencyKey } = JSON.parse(await readFile(join(folder, name), 'utf8'));
    door.replies = [platform];
    await client.retrievePhaseResults(where.repo, 7, '7776c71');
    expect(keysSent().filter((key) => key !== undefined)).toEqual(
      Array.from({ length: 4 }, () => idempotencyKey),
    );
    await client.storePhaseResults('validation', { n: 1 }, where);
    expect(keysSent().at(-1)).not.toBe(idempotencyKey);
    // The platform had it all along, and the last is equal to its neighbour: it is one row.
    expect(await countRows(api.pool, 'validation_executions', runner.customerId)).toBe(1);
  });

  test('A re-send: carries its original time, and becomes history where its slot has moved on', async () => {
    const runner = await makeTenant(api.pool);
    const client = makeClient({ apiKey: runner.apiKey });
    const where = issue(freshRepository(runner));
    door.replies = [away];
    await client.storePhaseResults('validation', { n: 'late' }, where);
    const [name = ''] = await filesKept();
    const { timestamp } = JSON.parse(await readFile(join(folder, name), 'utf8'));
    door.replies = [platform];
    const elsewhere = makeClient({ apiKey: runner.apiKey, folder: join(folder, 'of-another') });
    await elsewhere.storePhaseResults('validation', { n: 'newer' }, where);
    const known = await client.retrievePhaseResults(where.repo, 7, '7776c71');
    expect(known).toEqual({ validation: { 'issue-7': { n: 'newer' } } });
    const times = door.received.map(({ headers }) => headers['x-phase-stored-at']);
    expect(times.filter((time) => time !== undefined)).toEqual([timestamp]);
    expect(await countRows(api.pool, 'validation_executions', runner.customerId)).toBe(2);
  });

  test('Retries: on 429, 5xx and the network, honouring Retry-After; never on other 4xx', async () => {
    for (const failure of [
      json(429, {}, { 'retry-after': '0' }),
      json(500, {}),
      away,
      losingTheAnswerOf(api.url),
    ]) {
      door.received.length = 0;
      door.replies = [failure, platform];
      const result = await makeClient().storePhaseResults('scan', { n: 1 }, issue());
      expect([result.storage, door.received.length]).toEqual(['platform', 2]);
    }
    door.received.length = 0;
    door.replies = [json(503, {}, { 'retry-after': '3600' }), platform];
    const patient = await makeClient().storePhaseResults('scan', { n: 1 }, issue());
    expect([patient.storage, door.received.length]).toEqual(['local', 1]);
    await rm(folder, { recursive: true });
    door.received.length = 0;
    door.replies = [platform];
    const refused = makeClient().storePhaseResults('scan', {}, issue('nobody-at-all/shop'));
    await expect(refused).rejects.toThrow(PlatformRefusedError);
    await expect(refused).rejects.toMatchObject({ status: 403 });
    expect([door.received.length, await filesKept()]).toEqual([1, []]);
  });

  test('GitHub OIDC token: is used when no key is set', async () => {
    const github = await startTokenIssuer();
    const audience = door.url;
    const trusted = { kind: 'github-actions', jwksUrl: github.jwksUrl, audience };
    const replica = await startReplica({ ...options, tokenIssuers: [tokenIssuer.parse(trusted)] });
    const where = issue();
    const token = await github.sign({
      iss: 'https://token.actions.githubusercontent.com',
      aud: audience,
      repository: where.repo,
      repository_owner: tenant.owner,
    });
    vi.stubEnv('ACTIONS_ID_TOKEN_REQUEST_URL', `${door.url}/token?api-version=2.0`);
    vi.stubEnv('ACTIONS_ID_TOKEN_REQUEST_TOKEN', 'of-the-job');
    door.replies = [json(200, { value: token }), forwardTo(replica.url)];
    const result = await makeClient({ apiKey: undefined }).storePhaseResults('scan', { n: 1 }, where);
    expect(result.storage).toBe('platform');
    const sent = door.received.map(({ headers }) => headers.authorization);
    expect(sent).toEqual(['Bearer of-the-job', `Bearer ${token}`]);
    await github.stop();
  });

  test('In a CI job: a local fallback prints a ::warning::; `requirePlatform` fails instead', async () => {
    // At once, instead of after the retries.
    door.replies = [json(503, {}, { 'retry-after': '3600' })];
    const { repo } = issue();
    const store = (...args: string[]) =>
      runCli(
        ['store', 'validation', '--repo', repo, '--commit', 'c1', '--issue', '7', '--data', '-', ...args],
        {
          cwd: join(folder, '..', '..'),
          stdin: '{}',
          env: { CI: 'true', RSOLV_API_URL: door.url, RSOLV_API_KEY: tenant.apiKey },
        },
      );
    const failed = await store('--require-platform');
    expect([failed.code, failed.stdout, await filesKept()]).toEqual([1, '', []]);
    const kept = await store();
    expect([kept.code, (await filesKept()).length]).toEqual([0, 1]);
    expect(kept.stderr).toMatch(/^::warning::.*-7-validation\.json/);
    const required = makeClient({ requirePlatform: true });
    await expect(required.storePhaseResults('scan', {}, issue())).rejects.toThrow(PlatformUnreachableError);
  });

  test('A throwaway runner: the example workflow uploads `.rsolv/`, and says how to re-send it', async () => {
    const workflow = await readFile('manifests/samples/github-actions.yml', 'utf8');
    const stores = workflow.match(/phaserun store /g)?.length ?? 0;
    expect(
      workflow.match(/uses: actions\/upload-artifact@.*\n(?: +.*\n)*? +path: \.rsolv\/\n/g),
    ).toHaveLength(stores - (workflow.match(/^#.*phaserun store /gm)?.length ?? 0));
    const [header = ''] = workflow.split('\nname:');
    expect(header).toMatch(/gh run download .* --dir \.rsolv[^]*phaserun retrieve .*--require-platform/);
    // As it says: a call that gets through brings along what another machine kept.
    const where = issue();
    door.replies = [away];
    await makeClient().storePhaseResults('validation', { n: 1 }, where);
    door.replies = [platform];
    const elsewhere = makeClient({ requirePlatform: true });
    expect(await elsewhere.retrievePhaseResults(where.repo, 7, '7776c71')).toEqual({
      validation: { 'issue-7': { n: 1 } },
    });
    expect(await filesKept()).toEqual([]);
  });
});
