import { execFileSync } from 'node:child_process';
import { mkdir, mkdtemp, readdir, readFile, rename, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import {
  createScriptedServer,
  json,
  type ScriptedServer,
  stored,
} from '../../test/fixtures/scripted-server.ts';
import { PhaseDataClient, type PhaseMetadata } from './phase-data-client.ts';

const issue7: PhaseMetadata = { repo: 'acme/app', issueNumber: 7, commitSha: '7776c71' };

let server: ScriptedServer;
let copy: string;
let folder: string;
let warnings: string[];

beforeEach(async () => {
  vi.stubEnv('USE_PLATFORM_STORAGE', '');
  server = await createScriptedServer();
  server.replies = [stored('row-1')];
  copy = await mkdtemp(join(tmpdir(), 'checkout-'));
  folder = join(copy, '.rsolv', 'phase-data');
  await mkdir(folder, { recursive: true });
  warnings = [];
});

afterEach(async () => {
  vi.unstubAllEnvs();
  await server.close();
  await rm(copy, { recursive: true });
});

const client = () =>
  new PhaseDataClient({
    apiKey: 'key',
    baseUrl: server.url,
    folder,
    retry: { attempts: 1 },
    warn: (message) => warnings.push(message),
  });

const git = (...args: string[]) => execFileSync('git', args, { cwd: copy, stdio: 'pipe' });

/** A file as the client writes it, that says it was kept long ago. */
async function plant(name: string, metadata: PhaseMetadata): Promise<void> {
  const file = {
    phase: 'validation',
    data: { planted: true },
    metadata,
    timestamp: '2020-01-01T00:00:00Z',
    idempotencyKey: name,
  };
  await writeFile(join(folder, name), JSON.stringify(file));
}

/** Makes a checkout of what lies there. */
function commit(): void {
  git('init', '--quiet');
  git('add', '--force', '.');
}

const sent = () => server.received.map(({ body }) => body['data']);

test('what came with the checkout is not sent, and is said to be left', async () => {
  await plant('a.json', issue7);
  commit();
  const result = await client().storePhaseResults('validation', { n: 1 }, issue7);
  expect(result).toMatchObject({ storage: 'platform', resent: 0 });
  expect(sent()).toEqual([{ n: 1 }]);
  expect(warnings).toEqual([expect.stringMatching(/a\.json came with the checkout/)]);
  expect(await readdir(folder)).toEqual(['a.json']);
});

test('it answers no retrieve either', async () => {
  await plant('a.json', issue7);
  commit();
  server.replies = [json(200, {})];
  expect(await client().retrievePhaseResults('acme/app', 7, '7776c71')).toEqual({});
});

test('nor where the folder is a link to another one of the checkout', async () => {
  await plant('a.json', issue7);
  await rename(folder, join(copy, 'elsewhere'));
  await symlink(join('..', 'elsewhere'), folder);
  commit();
  await client().storePhaseResults('validation', { n: 1 }, issue7);
  expect(sent()).toEqual([{ n: 1 }]);
});

test('a result of the same name does not lend it a name of its own', async () => {
  await plant('acme-app-7-validation.json', issue7);
  commit();
  server.replies = [json(503, {})];
  const kept = await client().storePhaseResults('validation', { n: 1 }, issue7);
  expect(kept).toMatchObject({ storage: 'local' });
  server.replies = [stored('row-1')];
  server.received.length = 0;
  await client().storePhaseResults('mitigation', { n: 2 }, issue7);
  expect(sent()).toEqual([{ n: 1 }, { n: 2 }]);
  expect(await readFile(join(folder, 'acme-app-7-validation.json'), 'utf8')).toContain('planted');
});

test('a repository within the folder that would have a program run is not asked', async () => {
  await plant('a.json', issue7);
  const ran = join(copy, 'ran');
  execFileSync('git', ['init', '--quiet', '--bare', folder]);
  execFileSync('git', ['config', '--file', join(folder, 'config'), 'core.fsmonitor', `touch ${ran}; false`]);
  git('init', '--quiet');
  await client().storePhaseResults('validation', { n: 1 }, issue7);
  expect(sent()).toEqual([{ n: 1 }]);
  expect(warnings).toEqual([expect.stringMatching(/cannot be read, and stay/)]);
  expect(await readdir(copy)).not.toContain('ran');
});

test('results of other repositories wait for a call for theirs', async () => {
  await plant('a.json', { ...issue7, repo: 'acme/other' });
  await plant('b.json', { ...issue7, forge: 'gitlab' });
  await client().storePhaseResults('validation', { n: 1 }, issue7);
  expect(sent()).toEqual([{ n: 1 }]);
  expect(warnings).toEqual([
    expect.stringMatching(/a\.json holds a result of acme\/other \(github\) and is left alone/),
    expect.stringMatching(/b\.json holds a result of acme\/app \(gitlab\)/),
  ]);
  await client().storePhaseResults('validation', { n: 2 }, { ...issue7, repo: 'Acme/Other' });
  expect(sent()).toEqual([{ n: 1 }, { planted: true }, { n: 2 }]);
});

test('what an artifact brings into a checkout is sent', async () => {
  commit();
  await plant('acme-app-7-validation.json', issue7);
  server.replies = [stored('row-1'), json(200, {})];
  await client().retrievePhaseResults('acme/app', undefined, '7776c71');
  expect(sent()[0]).toEqual({ planted: true });
  expect(await readdir(folder)).toEqual([]);
  expect(warnings).toEqual([]);
});
