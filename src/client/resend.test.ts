import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import type { ServerResponse } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import {
  createScriptedServer,
  json,
  type Received,
  type ScriptedServer,
  stored,
} from '../../test/fixtures/scripted-server.ts';
import {
  PhaseDataClient,
  type PhaseDataClientOptions,
  type PhaseMetadata,
  type PhaseSpelling,
} from './phase-data-client.ts';

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

describe('re-sending', () => {
  it('sends what is on disk before its own, under the first key and body, and removes it', async () => {
    server.replies = [json(503, {})];
    await client({ retry: { attempts: 1 } }).storePhaseResults('validation', { n: 1 }, issue7);
    server.replies = [stored('row-1'), stored('row-2')];
    const result = await client().storePhaseResults('mitigation', { n: 2 }, issue7);
    expect(result).toMatchObject({ storage: 'platform', id: 'row-2', resent: 1 });
    expect(server.received.map(({ body }) => body['data'])).toEqual([{ n: 1 }, { n: 1 }, { n: 2 }]);
    expect(server.received[1]?.headers['idempotency-key']).toBe(
      server.received[0]?.headers['idempotency-key'],
    );
    expect(server.received[1]?.body).toEqual(server.received[0]?.body);
    const storedAt = server.received.map(({ headers }) => headers['x-phase-stored-at']);
    expect(storedAt).toEqual([undefined, expect.stringMatching(/^\d{4}-\d\d-\d\dT[\d:.]+Z$/), undefined]);
    expect(await filesKept()).toEqual([]);
  });

  it('keeps the order of an outage: all results of one slot, oldest first', async () => {
    server.replies = [json(503, {})];
    const offline = client({ retry: { attempts: 1 } });
    for (const n of [1, 2, 3]) await offline.storePhaseResults('validation', { n }, issue7);
    server.received.length = 0;
    server.replies = [stored('row')];
    await client().storePhaseResults('validation', { n: 4 }, issue7);
    expect(server.received.map(({ body }) => body['data'])).toEqual([1, 2, 3, 4].map((n) => ({ n })));
  });

  it('holds a result back behind an earlier one of its slot that cannot be sent yet', async () => {
    await outageResult('validation', { n: 1 }, issue7);
    server.replies = [refusingTheFirst];
    const result = await client().storePhaseResults('mitigation', { n: 2 }, issue7);
    expect(result.storage).toBe('local');
    expect(await filesKept()).toHaveLength(2);
  });

  it('lets a result of another slot pass', async () => {
    await outageResult('validation', { n: 1 }, issue7);
    server.replies = [refusingTheFirst];
    const result = await client().storePhaseResults('validation', { n: 2 }, { ...issue7, issueNumber: 8 });
    expect(result).toMatchObject({ storage: 'platform', resent: 0 });
    expect(await filesKept()).toEqual(['acme-app-7-validation.json']);
  });

  it('sets a refused one aside, says where, and goes on', async () => {
    await outageResult('validation', { n: 1 }, issue7);
    server.replies = [json(422, { detail: 'No.' }), stored('row-2')];
    expect(await client().storePhaseResults('validation', { n: 2 }, issue7)).toMatchObject({
      id: 'row-2',
      resent: 0,
    });
    expect(await filesKept()).toEqual([expect.stringMatching(/^acme-app-7-validation\..*\.json\.refused$/)]);
    expect(warnings).toEqual([
      expect.stringMatching(/was refused: The platform refused with 422 No\..*\.refused/),
    ]);
  });

  it.each([401, 403])('keeps one that other credentials may carry (%i)', async (status) => {
    await outageResult('validation', { n: 1 }, issue7);
    server.replies = [json(status, {})];
    await expect(client().storePhaseResults('scan', { n: 2 }, issue7)).rejects.toMatchObject({ status });
    expect(await filesKept()).toEqual(['acme-app-7-validation.json']);
    expect(warnings).toEqual([expect.stringMatching(/cannot be sent yet/)]);
  });

  it('happens before a retrieve too', async () => {
    await outageResult('validation', { n: 1 }, issue7);
    server.replies = [stored('row-1'), json(200, { validation: { 'issue-7': { n: 1 } } })];
    await client().retrievePhaseResults('acme/app', 7, '7776c71');
    expect(server.received.map(({ method }) => method)).toEqual(['POST', 'GET']);
    expect(await filesKept()).toEqual([]);
  });

  it('is not stopped by a file that is no result', async () => {
    await outageResult('validation', { n: 1 }, issue7);
    await writeFile(join(folder, 'notes.json'), 'not JSON');
    server.replies = [stored('row')];
    expect(await client().storePhaseResults('scan', {}, issue7)).toMatchObject({ resent: 1 });
    expect(warnings).toEqual([expect.stringMatching(/notes\.json holds no phase result/)]);
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

/** As a platform that has no room for one large result yet, and takes the small ones. */
function refusingTheFirst(response: ServerResponse, request: Received): void {
  const isFirst = JSON.stringify(request.body['data']) === '{"n":1}';
  (isFirst ? json(503, {}) : stored('row'))(response, request);
}
