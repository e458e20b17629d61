import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, test, vi } from 'vitest';
import { freshDatabase } from '../../fixtures/database.ts';
import { ownKubernetes } from '../../fixtures/kubernetes.ts';
import { appliedRuns, SOON } from './applied-runs.ts';
import { makeManifest } from './manifests.ts';
import { store } from './runner.ts';
import { createWorld } from './world.ts';

const { url: databaseUrl } = await freshDatabase();
const { kubeconfigPath } = await ownKubernetes();
const world = await createWorld({ kubeconfigPath, databaseUrl });
const [api] = await Promise.all([world.startApi(), world.startController()]);
const tenant = await world.makeTenant();
const { apply, applyAndArchive, applyAndReject } = appliedRuns(world);

interface Name {
  readonly namespace: string;
  readonly name: string;
}

/** What `kubectl describe phr` does not say, a run of blanks being one; asked again until that is nothing, or it is late. */
async function missingFromDescribe(
  { namespace, name }: Name,
  wanted: readonly (string | RegExp)[],
): Promise<readonly string[]> {
  for (const end = performance.now() + SOON.timeout; ; ) {
    const { output } = await world.kubectl(['describe', 'phr', name, '-n', namespace]);
    const described = output.replaceAll(/[ \t]+/g, ' ');
    const missing = wanted
      .filter((each) => !(typeof each === 'string' ? described.includes(each) : each.test(described)))
      .map(String);
    if (missing.length === 0) return [];
    if (performance.now() >= end) return [...missing, described];
    await sleep(SOON.interval);
  }
}

const MOMENT = '\\d{4}-\\d\\d-\\d\\dT\\d\\d:\\d\\d:\\d\\dZ';
const DELETED_AFTER = new RegExp(`this PhaseRun is deleted after ${MOMENT}`);
const ACCEPTED = new RegExp(
  `Last Transition Time: ${MOMENT}\\n Message: the run belongs to customer ${tenant.customerId}\\n[^]*Type: Accepted`,
);
const stored = { repo: `${tenant.owner}/shop`, commitSha: 'c0ffee' };
const failing = { validated: true, redTestPassed: false };
const passing = { validated: true, redTestPassed: true };

describe('kubectl describe phr tells of a run that came over HTTP', () => {
  test('whose it is, where it is kept, what the tests say, where its session is, and when it goes', async () => {
    const issue = { ...stored, issueNumber: 1 };
    const validation = await store(api, tenant, { ...issue, phase: 'validation', data: failing });
    expect(validation.status).toBe(200);
    const of = (body: typeof validation.body, phase: string) => [
      ACCEPTED,
      `committed as execution ${body.id} of ${phase}_executions`,
      DELETED_AFTER,
      'Red Green: proven',
    ];
    expect(
      await missingFromDescribe(validation.body.phaseRun, [
        ...of(validation.body, 'validation'),
        `session ${validation.body.sessionId} is active`,
      ]),
    ).toEqual([]);

    const fix = { fixed: true, preTestPassed: false, postTestPassed: true };
    const mitigation = await store(api, tenant, { ...issue, phase: 'mitigation', data: fix });
    expect(mitigation.body.sessionId).toBe(validation.body.sessionId);
    expect(
      await missingFromDescribe(mitigation.body.phaseRun, [
        ...of(mitigation.body, 'mitigation'),
        'Trust Score: 100',
        `session ${mitigation.body.sessionId} is completed: the issue is fixed`,
        new RegExp(`Normal SessionCompleted .*session ${mitigation.body.sessionId} is completed`),
      ]),
    ).toEqual([]);
  });

  test('that its RED tests pass on the vulnerable commit', async () => {
    const inverted = { ...stored, phase: 'validation', issueNumber: 2, data: passing };
    const { body } = await store(api, tenant, inverted);
    expect(
      await missingFromDescribe(body.phaseRun, [
        'Red Green: inverted',
        'the result is unproven, so more work is expected',
        /Warning RedGreenViolation .*the RED tests pass on the vulnerable commit: nothing is validated/,
      ]),
    ).toEqual([]);
  });

  test('that it failed, and its session with it', async () => {
    const running = { ...stored, phase: 'validation', issueNumber: 3, status: 'running', data: {} };
    const begun = await store(api, tenant, running);
    expect(
      await missingFromDescribe(begun.body.phaseRun, ['this PhaseRun stays until the run has ended']),
    ).toEqual([]);
    const failed = { ...running, status: 'failed', runId: begun.body.id, errorMessage: 'no runner' };
    const { body } = await store(api, tenant, failed);
    expect(
      await missingFromDescribe(body.phaseRun, [
        `session ${body.sessionId} is failed`,
        /Warning SessionFailed/,
        'Error Message: no runner',
        DELETED_AFTER,
      ]),
    ).toEqual([]);
  });

  test('and costs no Event where all went as it should', async () => {
    const scan = { phase: 'scan', ...stored, data: { vulnerabilities: [] } };
    const quiet = await store(api, tenant, scan);
    // An Event of a later run has been written by then, so one of this run would have been.
    const loud = await store(api, tenant, { ...stored, phase: 'validation', issueNumber: 4, data: passing });
    expect(await missingFromDescribe(loud.body.phaseRun, [/Warning RedGreenViolation/])).toEqual([]);
    expect(
      await missingFromDescribe(quiet.body.phaseRun, [
        'of scan_executions',
        /is completed\n/,
        'Events: <none>',
      ]),
    ).toEqual([]);
  });
});

describe('kubectl describe phr tells of an applied run', () => {
  test('the same, and the Event that it was archived', async () => {
    const manifest = makeManifest(tenant, 'applied', { spec: { issueNumber: 5 }, result: { data: failing } });
    const { metadata, status } = await applyAndArchive(manifest);
    expect(
      await missingFromDescribe(metadata, [
        ACCEPTED,
        `committed as execution ${status?.archive?.executionId} of validation_executions`,
        'this PhaseRun stays until somebody deletes it',
        `session ${status?.session?.id} is active`,
        'Red Green: proven',
        /Normal Archived .*completed result archived as execution/,
      ]),
    ).toEqual([]);
  });

  test('why it is not accepted, and that nothing was stored', async () => {
    const manifest = makeManifest(tenant, 'refused', { spec: { repo: 'somebody-else/shop' } });
    await applyAndReject(manifest);
    expect(
      await missingFromDescribe(manifest.metadata, [
        'Message: nothing was stored',
        'Reason: ForgeAccountNotVerified',
        /Warning Rejected .*ForgeAccountNotVerified: the customer of namespace/,
      ]),
    ).toEqual([]);
  });

  test('and kubectl get -o wide shows the verdict of the tests', async () => {
    const manifest = makeManifest(tenant, 'wide', { spec: { issueNumber: 6 }, result: { data: failing } });
    expect(await apply(manifest)).toMatchObject({ ok: true });
    await vi.waitFor(async () => {
      const { output } = await world.kubectl(['get', 'phr', 'wide', '-n', tenant.namespace, '-o', 'wide']);
      expect(output).toMatch(/REDGREEN[^]*active +proven/);
    }, SOON);
  });
});
