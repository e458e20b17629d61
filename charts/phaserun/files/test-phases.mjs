// `helm test`: stores a scan, a validation and a mitigation as three jobs would, and looks for what has to be there
// afterwards. It runs in the program's own image, and leaves a customer "phaserun-helm-test" without a good key.
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { randomInt } from 'node:crypto';
import { lookup } from 'node:dns/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';

const { API_URL, CONTROLLER_HOST } = process.env;
const OWNER = 'phaserun-helm-test';
const REPO = `${OWNER}/app`;
const ISSUE = randomInt(1, 1_000_000_000);
const COMMIT = `helm-test-${ISSUE}`;
const WAIT_MS = 60_000;

const RESULTS = {
  scan: { vulnerabilities: [{ type: 'xss', severity: 'high', file: 'view.js', line: 7 }] },
  validation: {
    validated: true,
    redTests: [{ testName: 'view.js must escape the name' }],
    testResults: { vulnerableCommit: { redTestsPassed: [false], allPassed: false } },
    language: 'javascript',
    framework: 'mocha',
  },
  mitigation: {
    fixed: true,
    prUrl: `https://github.com/${REPO}/pull/${ISSUE}`,
    preTestPassed: false,
    postTestPassed: true,
    language: 'javascript',
    framework: 'mocha',
  },
};

async function phaserun(...args) {
  const { stdout } = await promisify(execFile)(process.execPath, ['/app/dist/main.js', ...args, '-o', 'json']);
  return stdout === '' ? undefined : JSON.parse(stdout);
}

/** Tries until it does not throw, or throws what it threw last. */
async function eventually(what, attempt) {
  const endsAt = Date.now() + WAIT_MS;
  for (;;) {
    try {
      const result = await attempt();
      console.log(`ok      ${what}`);
      return result;
    } catch (error) {
      if (Date.now() >= endsAt) throw new Error(`not after ${WAIT_MS / 1000} s: ${what}`, { cause: error });
      await sleep(500);
    }
  }
}

async function makeKey() {
  const known = await phaserun('admin', 'customer', 'list');
  if (!known.some(({ name }) => name === OWNER)) await phaserun('admin', 'customer', 'create', OWNER);
  const accounts = await phaserun('admin', 'forge-account', 'list', '--customer', OWNER);
  if (accounts.length === 0) {
    await phaserun('admin', 'forge-account', 'add', OWNER, '--customer', OWNER);
    await phaserun('admin', 'forge-account', 'verify', OWNER, '--customer', OWNER);
  }
  const scopes = ['phases:read', 'phases:write', 'sessions'];
  return phaserun('admin', 'key', 'create', '--customer', OWNER, '--name', COMMIT, '--scope', ...scopes);
}

async function call(apiKey, path, body) {
  const response = await fetch(new URL(path, API_URL), {
    method: body === undefined ? 'GET' : 'POST',
    headers: { 'x-api-key': apiKey, ...(body && { 'content-type': 'application/json' }) },
    ...(body && { body: JSON.stringify(body) }),
    signal: AbortSignal.timeout(15_000),
  });
  const text = await response.text();
  assert.ok(response.ok, `${path} answered ${response.status}: ${text}`);
  return JSON.parse(text);
}

async function readMetrics(url) {
  const response = await fetch(url, { signal: AbortSignal.timeout(5_000) });
  assert.equal(response.status, 200, `${url} answered ${response.status}`);
  return response.text();
}

/** Of the leader alone: it counts what it has committed. */
async function findCommittedMetrics() {
  const addresses = await lookup(CONTROLLER_HOST, { all: true });
  const hostOf = ({ address, family }) => (family === 6 ? `[${address}]` : address);
  const texts = await Promise.all(addresses.map((each) => readMetrics(`http://${hostOf(each)}:8089/metrics`)));
  const series = ['scan', 'validation', 'mitigation'].map((phase) => `rsolv_${phase}_executions_total{`);
  const hasAll = (text) =>
    series.every((start) => text.split('\n').some((line) => line.startsWith(start) && line.includes(`repo="${REPO}"`)));
  assert.ok(texts.some(hasAll), `no controller counts ${REPO}`);
}

const { id: keyId, apiKey } = await eventually('a key is made', makeKey);
try {
  const ids = {};
  for (const [phase, data] of Object.entries(RESULTS)) {
    const about = { phase, repo: REPO, commitSha: COMMIT, ...(phase !== 'scan' && { issueNumber: ISSUE }) };
    const stored = await eventually(`${phase} is stored`, () =>
      call(apiKey, '/api/v1/phases/store', { ...about, pipelineRunId: COMMIT, data }),
    );
    ids[phase] = stored.id;
  }
  await eventually('a later job retrieves all three', async () => {
    const known = await call(apiKey, `/api/v1/phases/retrieve?repo=${REPO}&issue=${ISSUE}&commit=${COMMIT}`);
    assert.deepEqual(known, {
      scan: RESULTS.scan,
      validation: { [`issue-${ISSUE}`]: RESULTS.validation },
      mitigation: { [`issue-${ISSUE}`]: RESULTS.mitigation },
    });
  });
  const sessions = await eventually('the sessions of commit and issue are completed', async () => {
    const { sessions: completed } = await call(apiKey, '/sessions?status=completed');
    const own = completed.filter(({ subject }) => [`commit/${COMMIT}`, `issue/${ISSUE}`].includes(subject));
    assert.equal(own.length, 2);
    return own.map(({ session_id: id }) => id);
  });
  await eventually('Postgres has a row of each', async () => {
    const details = await Promise.all(sessions.map((id) => call(apiKey, `/sessions/${id}`)));
    const rows = details.flatMap(({ timeline }) => timeline.executions.map(({ phase, id }) => [phase, id]));
    assert.deepEqual(Object.fromEntries(rows), ids);
  });
  await eventually('the API has metrics', async () =>
    assert.match(await readMetrics(new URL('/metrics', API_URL)), /^phaserun_store_acknowledged_total\{/m),
  );
  await eventually('the controller counts what it committed', findCommittedMetrics);
} finally {
  await phaserun('admin', 'key', 'revoke', keyId, '--customer', OWNER);
}
console.log('PhaseRun keeps what it is given.');
