import { describe, expect, test, vi } from 'vitest';
import type { KubeEvent } from '../../../src/kube/event-draft.ts';
import type { KubeObject, ObjectName } from '../../../src/kube/kube-object.ts';
import { makeTenant, retrieve, store } from '../api/api-under-test.ts';
import { listRows } from '../store/rows.ts';
import { createContractWorlds, freshRepository } from './contract-worlds.ts';

const EVENTS = {
  group: 'events.k8s.io',
  version: 'v1',
  kind: 'Event',
  plural: 'events',
  namespaced: true,
};

describe.each(await createContractWorlds())('$world', async ({ api, controllerMetrics }) => {
  const tenant = await makeTenant(api.pool);
  /** The status is written after the row is committed, and so after a store is answered. */
  const summaryOf = (phaseRun: ObjectName) =>
    vi.waitFor(async () => {
      const { status } = await api.phaseRuns.get(phaseRun);
      expect(status?.archive).toBeDefined();
      return status?.summary;
    }, 20_000);
  /** Stores it; answers how it was judged, everywhere that shows it. */
  async function judge(phase: 'validation' | 'mitigation', data: object) {
    const repo = freshRepository(tenant);
    const { status, body } = await store(api, tenant, { phase, repo, issueNumber: 7, commitSha: 'c1', data });
    expect({ status, body }).toMatchObject({ status: 200 });
    const rows = await listRows(api.pool, phase, tenant.customerId);
    const found = await retrieve(api, tenant, { repo, issue: '7' });
    expect(found.body[phase]).toEqual({ 'issue-7': data });
    return {
      row: rows.find(({ id }) => id === body.id),
      session: body.sessionState,
      summary: await summaryOf(body.phaseRun),
    };
  }
  const scoreOf = async (data: object) => (await judge('mitigation', data)).row?.['trust_score'];

  test('On the vulnerable commit: five places tell how the tests went', async () => {
    const places = (passed: boolean): object[] => [
      { testExecutionResult: { passed } },
      { testResults: { vulnerableCommit: { allPassed: passed } } },
      { testResults: { vulnerableCommit: { redTestsPassed: [passed, passed] } } },
      { redTestPassed: passed },
      { preTestPassed: passed },
    ];
    for (const data of places(false))
      expect((await judge('validation', data)).row).toMatchObject({ red_green: 'proven' });
    for (const data of places(true))
      expect((await judge('validation', data)).row).toMatchObject({ red_green: 'inverted' });
  });

  test('After the fix: three places do', async () => {
    const places = (passed: boolean): object[] => [
      { postTestPassed: passed },
      { testResults: { fixedCommit: { allPassed: passed } } },
      { isValidFix: passed },
    ];
    for (const data of places(true)) expect(await scoreOf({ preTestPassed: false, ...data })).toBe(100);
    for (const data of places(false)) expect(await scoreOf({ preTestPassed: false, ...data })).toBe(0);
  });

  test('Infrastructure failures: make an outcome unknown, and no failure of it', async () => {
    for (const flag of ['infrastructureFailure', 'hasInfrastructureFailures', 'crashed', 'timedOut']) {
      const data = { preTestPassed: false, postTestPassed: false, [flag]: true };
      expect((await judge('mitigation', data)).row).toMatchObject({
        trust_score: null,
        red_green: 'unknown',
      });
      const run = { testExecutionResult: { passed: true, [flag]: true } };
      expect((await judge('validation', run)).row).toMatchObject({ red_green: 'unknown' });
    }
  });

  test('Counts alone: decide nothing', async () => {
    const data = { redTests: { count: 3, passed: 3 }, tests_passed: 3, tests_failed: 0, validated: true };
    expect((await judge('validation', data)).row).toMatchObject({ red_green: 'unknown', validated: true });
    expect(await scoreOf({ tests_passed: 3, preTestPassed: false })).toBeNull();
  });

  test("No outcomes: the client's own score, else none: nothing in the summary", async () => {
    const own = await judge('mitigation', { fixed: true, trustScore: 85 });
    expect([own.row?.['trust_score'], own.summary?.trustScore]).toEqual([85, 85]);
    const none = await judge('mitigation', { fixed: true });
    expect(none.row).toMatchObject({ trust_score: null });
    expect(none.summary ?? {}).not.toHaveProperty('trustScore');
  });

  test('Empty result arrays: are unknown', async () => {
    const ran = { vulnerableCommit: { allPassed: true, redTestsPassed: [] } };
    expect((await judge('validation', { testResults: ran })).row).toMatchObject({ red_green: 'unknown' });
  });

  test('100, 50, 0: fails before and passes after, passes both, anything else', async () => {
    for (const [preTestPassed, postTestPassed, want] of [
      [false, true, 100],
      [true, true, 50],
      [false, false, 0],
      [true, false, 0],
    ])
      expect(await scoreOf({ preTestPassed, postTestPassed })).toBe(want);
  });

  test('Inverted validation: is kept and marked, never counts as validated, and its session stays active', async () => {
    const inverted = await judge('validation', { validated: true, redTestPassed: true });
    expect(inverted).toMatchObject({ row: { red_green: 'inverted', validated: false }, session: 'active' });
    expect(inverted.summary?.validated).not.toBe(true);
  });

  test('Event, metric: tell of an inverted validation, once, and of no other', async () => {
    const repos = [freshRepository(tenant), freshRepository(tenant)];
    const [inverted = '', proven = ''] = repos;
    const names: string[] = [];
    for (const [repo, redTestPassed] of [
      [inverted, true],
      [proven, false],
    ] as const) {
      const result = { phase: 'validation', repo, issueNumber: 7, commitSha: 'c1', data: { redTestPassed } };
      names.push((await store(api, tenant, result)).body.phaseRun.name);
    }
    const told = await vi.waitFor(async () => {
      const events = await api.client
        .resource<KubeEvent & KubeObject>(EVENTS)
        .list({ namespace: api.namespace });
      const ofRuns = events.filter(({ regarding }) => names.includes(regarding.name));
      expect(ofRuns).not.toEqual([]);
      return ofRuns.map(({ type, reason, regarding: { name } }) => ({ type, reason, name }));
    }, 20_000);
    expect(told).toEqual([{ type: 'Warning', reason: 'RedGreenViolation', name: names[0] }]);
    await vi.waitFor(async () => {
      const lines = (await controllerMetrics?.expose())?.split('\n') ?? [];
      const counted = repos.map((repo) =>
        lines.find((line) => line.startsWith('rsolv_validation_inverted_total{') && line.includes(repo)),
      );
      expect(counted).toEqual([expect.stringMatching(/ 1$/), expect.stringMatching(/ 0$/)]);
    }, 20_000);
  });

  test('Unproven mitigation: is kept and marked, and its session stays active', async () => {
    for (const data of [{ fixed: false }, { fixed: true, preTestPassed: false, postTestPassed: false }])
      expect(await judge('mitigation', data)).toMatchObject({
        row: { red_green: 'unproven' },
        session: 'active',
      });
    const proven = await judge('mitigation', { fixed: true, preTestPassed: false, postTestPassed: true });
    expect(proven).toMatchObject({ row: { red_green: 'proven' }, session: 'completed' });
  });

  test('A contradicting score: stays in the data; the computed one is used', async () => {
    const data = { preTestPassed: true, postTestPassed: true, trustScore: 100 };
    const { row: kept, summary } = await judge('mitigation', data);
    expect(kept).toMatchObject({ trust_score: 50, data });
    expect(summary?.trustScore).toBe(50);
  });
});
