import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { PhaseDataClient } from '../../../src/client/phase-data-client.ts';
import { freshDatabase } from '../../fixtures/database.ts';
import { freshNamespace, ownKubernetes } from '../../fixtures/kubernetes.ts';
import { runLog } from '../../fixtures/run-log/of-test.ts';
import { closedPort } from '../../fixtures/scripted-server.ts';
import { runCli } from './run-cli.ts';

// The runner's side of an outage, with the whole platform behind it: real processes, a real cluster and database.

const MAIN = fileURLToPath(new URL('../../../src/main.ts', import.meta.url));
const COMMIT = '7776c71';

const { url: databaseUrl } = await freshDatabase();
const { kubeconfigPath } = await ownKubernetes();
const apiUrl = `http://127.0.0.1:${await closedPort()}`;
const metricsPort = await closedPort();

let apiKey: string;
let controller: ChildProcess;
let api: ChildProcess | undefined;
let cwd: string;

beforeAll(async () => {
  cwd = await mkdtemp(join(tmpdir(), 'runner-'));
  const { id } = JSON.parse(await admin('customer create acme -o json'));
  await admin('forge-account add acme --customer acme');
  await admin('forge-account verify acme --customer acme');
  apiKey = (await admin('key create --customer acme')).trim();
  await freshNamespace({ customerId: id, kubeconfigPath });
  controller = startProcess('controller');
  await answers(`http://127.0.0.1:${metricsPort}/readyz`);
});
afterAll(async () => {
  await end(controller, 'SIGTERM');
  if (api) await end(api, 'SIGTERM');
  await rm(cwd, { recursive: true });
});

describe('a runner', () => {
  it('keeps its result while the API is down, and the next job that reaches it brings the result along', async () => {
    const offline = await phaserun('store validation --issue 7', '{"validated":true}');
    expect(offline).toMatchObject({
      code: 0,
      stderr: expect.stringMatching(/^warning: .*on this machine alone/),
    });
    expect(await filesKept()).toEqual(['acme-app-7-validation.json']);
    await startApi();
    const online = await phaserun('store mitigation --issue 7', '{"fixed":true}');
    expect(online).toMatchObject({ code: 0, stderr: 'Sent 1 earlier result(s) from this disk first.\n' });
    expect(await filesKept()).toEqual([]);
    const known = await phaserun('retrieve --issue 7');
    expect(JSON.parse(known.stdout)).toEqual({
      validation: { 'issue-7': { validated: true } },
      mitigation: { 'issue-7': { fixed: true } },
    });
  });

  it('loses nothing when the API dies again and again while results arrive', async () => {
    const issues = Array.from({ length: 20 }, (_, index) => index + 100);
    const stores = issues.map(async (issue, index) => {
      await sleep(index * 50);
      return client().storePhaseResults(
        'validation',
        { issue },
        { repo: 'acme/app', issueNumber: issue, commitSha: COMMIT },
      );
    });
    for (let deaths = 0; deaths < 2; deaths += 1) {
      await sleep(300);
      if (api) await end(api, 'SIGKILL');
      await startApi();
    }
    const results = await Promise.all(stores);
    expect(results.map(({ success }) => success)).toEqual(issues.map(() => true));
    for (const issue of issues) {
      const known = await client().retrievePhaseResults('acme/app', issue, COMMIT);
      expect(known).toEqual({ validation: { [`issue-${issue}`]: { issue } } });
    }
    expect(await filesKept()).toEqual([]);
  });
});

function client(): PhaseDataClient {
  return new PhaseDataClient({
    apiKey,
    baseUrl: apiUrl,
    usePlatform: true,
    folder: join(cwd, '.rsolv', 'phase-data'),
    retry: { attempts: 2, baseMs: 20 },
    warn: () => undefined,
  });
}

function phaserun(args: string, stdin = '') {
  const data = args.startsWith('store') ? ['--data', '-'] : [];
  const command = [...args.split(' '), '--repo', 'acme/app', '--commit', COMMIT, ...data];
  return runCli(command, { cwd, stdin, env: { RSOLV_API_URL: apiUrl, RSOLV_API_KEY: apiKey } });
}

async function admin(args: string): Promise<string> {
  const { code, stdout } = await runCli(['admin', ...args.split(' ')], {
    env: { DATABASE_URL: databaseUrl },
  });
  expect(code).toBe(0);
  return stdout;
}

async function startApi(): Promise<void> {
  api = startProcess('api');
  await answers(`${apiUrl}/readyz`);
}

function startProcess(role: 'api' | 'controller'): ChildProcess {
  const env = {
    PATH: process.env['PATH'],
    DATABASE_URL: databaseUrl,
    KUBECONFIG: kubeconfigPath,
    POD_NAMESPACE: 'default',
    HOST: '127.0.0.1',
    PORT: new URL(apiUrl).port,
    METRICS_PORT: String(metricsPort),
    LOG_LEVEL: 'debug',
  };
  runLog().addEnvironment(env);
  const child = spawn(process.execPath, [MAIN, role], { env, stdio: ['ignore', 'pipe', 'pipe'] });
  const keep = runLog().writer(role);
  for (const stream of [child.stdout, child.stderr]) stream.setEncoding('utf8').on('data', keep);
  return child;
}

/** Waits until the address answers 200; the test's own time limit ends the wait. */
async function answers(url: string): Promise<void> {
  for (;;) {
    const response = await fetch(url).catch(() => undefined);
    await response?.text();
    if (response?.ok) return;
    await sleep(50);
  }
}

async function end(child: ChildProcess, signal: 'SIGTERM' | 'SIGKILL'): Promise<void> {
  const exited = once(child, 'exit');
  if (child.exitCode === null && child.signalCode === null && child.kill(signal)) await exited;
}

async function filesKept(): Promise<readonly string[]> {
  return readdir(join(cwd, '.rsolv', 'phase-data'));
}
