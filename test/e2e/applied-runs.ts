import { describe, expect, test } from 'vitest';
import { helm } from './commands.ts';
import { applyRuns, makeRun, untilArchived } from './phase-runs.ts';
import { NAMESPACE, query, RELEASE } from './release.ts';
import { bindNamespace, makeTenant } from './tenant.ts';

/** PhaseRuns here have no TTL: they stay. */
export const APPLIED = 'phaserun-e2e-applied';

export function testAppliedRuns(): void {
  describe('with kubectl', () => {
    test('PhaseRuns are applied, and become rows with a session', async () => {
      const tenant = await makeTenant('applied');
      await bindNamespace(APPLIED, tenant);
      await applyRuns([1, 2, 3].map((issue) => makeRun(tenant, APPLIED, issue)));
      await untilArchived(APPLIED);
      const rows = `SELECT count(*) FROM validation_executions v JOIN sessions s ON s.id = v.session_id
        WHERE v.customer_id = '${tenant.customerId}' AND v.commit_sha = 'abc1234'`;
      expect(await query(rows)).toBe('3');
    });
  });

  test('helm test passes', async () => {
    const log = await helm(['test', RELEASE, '-n', NAMESPACE, '--logs', '--timeout', '3m'], {
      timeoutMs: 200_000,
    });
    expect(log).toContain('PhaseRun keeps what it is given.');
  });
}
