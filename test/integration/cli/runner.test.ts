import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createScriptedServer, json, type ScriptedServer, stored } from '../../fixtures/scripted-server.ts';
import { type CliOptions, runCli } from './run-cli.ts';

let server: ScriptedServer;
let cwd: string;

beforeEach(async () => {
  server = await createScriptedServer();
  server.replies = [stored('row-1')];
  cwd = await mkdtemp(join(tmpdir(), 'cli-'));
});
afterEach(async () => {
  await server.close();
  await rm(cwd, { recursive: true });
});

function phaserun(args: string, options: CliOptions = {}) {
  const env = { RSOLV_API_URL: server.url, RSOLV_API_KEY: 'rsolv_id_secret', ...options.env };
  return runCli(args.split(' '), { cwd, ...options, env });
}

const VALIDATION = 'store validation --repo acme/app --commit c1 --issue 7';

describe('store', () => {
  it('stores what stdin holds, every option in its place', async () => {
    const options = '--branch main --pipeline-run-id 9182 --forge gitlab --status failed --data -';
    const { code, stdout, stderr } = await phaserun(`${VALIDATION} ${options}`, {
      stdin: '{"validated":true}',
    });
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    expect(stdout).toBe('PHASE        STORAGE    ID      SESSION\nvalidation   platform   row-1   -\n');
    expect(server.received.map(({ body }) => body)).toEqual([
      {
        phase: 'validation',
        repo: 'acme/app',
        commitSha: 'c1',
        issueNumber: 7,
        branch: 'main',
        pipelineRunId: '9182',
        forge: 'gitlab',
        status: 'failed',
        data: { validated: true },
      },
    ]);
  });

  it('stores what a file holds, byte order mark or not', async () => {
    await writeFile(join(cwd, 'scan.json'), '\uFEFF{"vulnerabilities":[]}');
    const { code, stdout } = await phaserun(
      'store scan --repo acme/app --commit c1 --data scan.json -o json',
    );
    expect(code).toBe(0);
    expect(JSON.parse(stdout)).toMatchObject({
      success: true,
      storage: 'platform',
      id: 'row-1',
      persisted: true,
    });
    expect(server.received[0]?.body).toMatchObject({ data: { vulnerabilities: [] } });
  });

  it.each([
    { format: 'name', want: 'validation/row-1\n' },
    { format: 'yaml', want: /^success: true\nstorage: platform\nphase: validation\nid: row-1\n/ },
    { format: 'wide', want: /PERSISTED {3}FILE\nvalidation.*true {8}-\n$/ },
  ])('prints $format', async ({ format, want }) => {
    const { stdout } = await phaserun(`${VALIDATION} --data - -o ${format}`, { stdin: '{}' });
    expect(stdout).toMatch(want);
  });

  it('needs no data while the phase runs', async () => {
    const { code } = await phaserun(`${VALIDATION} --status running`);
    expect(code).toBe(0);
    expect(server.received[0]?.body).toMatchObject({ status: 'running', data: {} });
  });

  it('keeps the result on disk when the platform is away, warns in CI, and sends it with the next call', async () => {
    server.replies = [(response) => response.destroy()];
    const env = { CI: 'true', RSOLV_API_URL: 'http://127.0.0.1:9' };
    const offline = await phaserun(`${VALIDATION} --data - -o json`, { stdin: '{"n":1}', env });
    expect(offline.code).toBe(0);
    expect(JSON.parse(offline.stdout)).toMatchObject({ success: true, storage: 'local' });
    expect(offline.stderr).toMatch(/^::warning::.*acme-app-7-validation\.json/);
    server.replies = [stored('row-1')];
    const online = await phaserun('store scan --repo acme/app --commit c1 --data -', { stdin: '{}' });
    expect(online).toMatchObject({ code: 0, stderr: 'Sent 1 earlier result(s) from this disk first.\n' });
    expect(server.received.map(({ body }) => body['phase'])).toEqual(['validation', 'scan']);
    expect(await readdir(join(cwd, '.rsolv', 'phase-data'))).toEqual([]);
  });

  it('fails with --require-platform instead', async () => {
    const env = { RSOLV_API_URL: 'http://127.0.0.1:9' };
    const { code, stdout, stderr } = await phaserun(`${VALIDATION} --data - --require-platform`, {
      stdin: '{}',
      env,
    });
    expect({ code, stdout }).toEqual({ code: 1, stdout: '' });
    expect(stderr).toMatch(/cannot be reached.*\n.*RSOLV_API_URL/);
    expect(await readdir(cwd)).toEqual([]);
  });

  it('passes on why the platform refuses, and what to do', async () => {
    server.replies = [json(403, { code: 'FORGE_ACCOUNT_NOT_VERIFIED', detail: 'acme is not yours.' })];
    const { code, stdout, stderr } = await phaserun(`${VALIDATION} --data -`, { stdin: '{}' });
    expect({ code, stdout }).toEqual({ code: 1, stdout: '' });
    expect(stderr).toBe(
      'error: The platform refused with 403 FORGE_ACCOUNT_NOT_VERIFIED: acme is not yours.\n' +
        'The customer of the key needs a verified forge account for this namespace. It has these: ' +
        'phaserun admin forge-account list --customer <name>\n',
    );
  });
});

describe('retrieve', () => {
  const answer = { scan: { vulnerabilities: [] }, validation: { 'issue-7': { validated: true } } };

  it.each([
    { format: 'json', want: `${JSON.stringify(answer, null, 2)}\n` },
    { format: 'name', want: 'scan\nvalidation/issue-7\n' },
    {
      format: 'table',
      want: 'PHASE        SUBJECT   BYTES\nscan         -         22\nvalidation   issue-7   18\n',
    },
  ])('prints what is known as $format', async ({ format, want }) => {
    server.replies = [json(200, answer)];
    const { code, stdout, stderr } = await phaserun(
      `retrieve --repo acme/app --commit c1 --issue 7 -o ${format}`,
    );
    expect({ code, stdout, stderr }).toEqual({ code: 0, stdout: want, stderr: '' });
    expect(server.received[0]?.url).toBe('/api/v1/phases/retrieve?repo=acme%2Fapp&commit=c1&issue=7');
  });

  it('says that nothing is known beside the data, not in it', async () => {
    server.replies = [json(200, {})];
    const { code, stdout, stderr } = await phaserun('retrieve --repo acme/app --commit c1 --issue 7');
    expect({ code, stdout }).toEqual({ code: 0, stdout: '{}\n' });
    expect(stderr).toBe('Nothing is stored for acme/app at c1 or issue 7.\n');
  });
});

describe('data that is wrong', () => {
  it.each([
    { args: VALIDATION, want: /needs --data <file>/ },
    { args: `${VALIDATION} --data none.json`, want: /cannot read none\.json/ },
    {
      args: 'store mitigation --repo a/b --commit c --status running',
      want: /issueNumber is required/,
    },
  ])('ends with 2 and is not sent: $args', async ({ args, want }) => {
    const { code, stdout, stderr } = await phaserun(args);
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
    expect(stderr).toMatch(want);
    expect(server.received).toEqual([]);
  });

  it('says where JSON goes wrong', async () => {
    const { code, stderr } = await phaserun(`${VALIDATION} --data -`, { stdin: '{\n  "validated": yes\n}' });
    expect({ code, stderr }).toEqual({
      code: 2,
      stderr: 'error: stdin is not JSON: line 2, column 16: unexpected "y"\n',
    });
  });

  it('refuses what is not text', async () => {
    const { code, stderr } = await phaserun(`${VALIDATION} --data -`, {
      stdin: new Uint8Array([0x7b, 0xff, 0x7d]),
    });
    expect({ code, stderr }).toEqual({ code: 2, stderr: 'error: stdin is not UTF-8 text\n' });
  });
});
