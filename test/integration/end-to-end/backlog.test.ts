import { expect, test, vi } from 'vitest';
import { freshDatabase } from '../../fixtures/database.ts';
import { ownKubernetes } from '../../fixtures/kubernetes.ts';
import { countRows, listSessions } from '../store/rows.ts';
import { countTransitions } from './history.ts';
import { listOf, makeManifest } from './manifests.ts';
import { createWorld, type Tenant } from './world.ts';

const { url: databaseUrl } = await freshDatabase();
const { kubeconfigPath } = await ownKubernetes();
const world = await createWorld({ kubeconfigPath, databaseUrl });
const tenant = await world.makeTenant();
const inNamespace = ['-n', tenant.namespace];

const SCANS = 100;
const ISSUES = 200;

/** 500 runs of which no two are the same; an issue's fix comes after its proof, and before it in the alphabet. */
function makeBacklog({ owner }: Tenant) {
  const spec = { repo: `${owner}/backlog` };
  const scans = Array.from({ length: SCANS }, (_, n) =>
    makeManifest(tenant, `scan-${n}`, { spec: { ...spec, phase: 'scan', commitSha: `c${n}` } }),
  );
  const issues = Array.from({ length: ISSUES }, (_, n) => [
    makeManifest(tenant, `issue-${n}-proof`, { spec: { ...spec, issueNumber: n + 1 } }),
    makeManifest(tenant, `issue-${n}-fix`, {
      spec: { ...spec, phase: 'mitigation', issueNumber: n + 1 },
      result: { data: { fixed: true } },
    }),
  ]);
  return [...scans, ...issues.flat()];
}

test('500 PhaseRuns applied while no controller runs', async () => {
  const stdin = listOf(makeBacklog(tenant));
  const { ok, output } = await world.kubectl(['apply', '--server-side', '-f', '-'], { stdin });
  expect(output.trim().split('\n')).toHaveLength(500);
  expect(ok).toBe(true);
});

test('none of them can be deleted, and a sentence says why', async () => {
  const { ok, output } = await world.kubectl(['delete', 'phr', 'scan-0', ...inNamespace]);
  expect(ok).toBe(false);
  expect(output).toContain('is not archived at its current generation, so deleting it would lose its result');
  expect(output).toContain('kubectl wait --for=condition=Archived phaserun/scan-0');
  expect((await world.kubectl(['get', 'phr', 'scan-0', ...inNamespace])).ok).toBe(true);
});

test('a controller that starts makes each of them a row, and `kubectl wait` says when', async () => {
  await world.startController();
  // Not all of them: kubectl asks for no more than five a second.
  const names = ['scan-0', 'scan-99', 'issue-0-proof', 'issue-199-fix'];
  const wait = ['wait', '--for=condition=Archived', '--timeout=50s', 'phr', ...names, ...inNamespace];
  expect(await world.kubectl(wait)).toMatchObject({ ok: true });
  await vi.waitUntil(async () => (await listUnarchived()).length === 0, { timeout: 50_000, interval: 200 });
  const tables = ['scan_executions', 'validation_executions', 'mitigation_executions'];
  const counts = await Promise.all(tables.map((table) => countRows(world.pool, table, tenant.customerId)));
  expect(counts).toEqual([SCANS, ISSUES, ISSUES]);
});

async function listUnarchived() {
  const phaseRuns = await world.phaseRuns.list({ namespace: tenant.namespace });
  expect(phaseRuns).toHaveLength(SCANS + 2 * ISSUES);
  return phaseRuns.filter(
    ({ status }) => !status?.conditions?.some((each) => each.type === 'Archived' && each.status === 'True'),
  );
}

test('each issue went through one session in order, each transition recorded once', async () => {
  const sessions = await listSessions(world.pool, tenant.customerId);
  expect(sessions.map(({ status }) => status)).toEqual(Array(SCANS + ISSUES).fill('completed'));
  expect(await countTransitions(world.pool, tenant.customerId)).toEqual({
    'none → pending': SCANS + ISSUES,
    'pending → active': SCANS + ISSUES,
    'active → completed': SCANS + ISSUES,
  });
});

test('archived, they are shown with their session and go at once', async () => {
  const { output } = await world.kubectl(['get', 'phr', 'issue-7-fix', ...inNamespace]);
  const [header, row] = output.split('\n');
  expect(header?.split(/ {2,}/)).toEqual([
    'NAME',
    'PHASE',
    'REPO',
    'ISSUE',
    'STATUS',
    'SESSION',
    'TRUST',
    'ARCHIVED',
    'AGE',
  ]);
  expect(row).toMatch(/^issue-7-fix +mitigation +\S+\/backlog +8 +completed +completed +True /);
  const names = ['scan-0', 'issue-7-proof', 'issue-7-fix'];
  expect(await world.kubectl(['delete', 'phr', ...names, ...inNamespace])).toMatchObject({ ok: true });
  expect(await world.phaseRuns.list({ namespace: tenant.namespace })).toHaveLength(497);
  expect(await countRows(world.pool, 'mitigation_executions', tenant.customerId)).toBe(ISSUES);
});
