import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { auditLog } from './audit-log.ts';
import { getJson, kubectl, tryKubectl } from './commands.ts';
import { applyRuns, makeRun } from './phase-runs.ts';
import { NAMESPACE, query, RELEASE } from './release.ts';
import { until } from './requests.ts';
import { bindNamespace, makeTenant, type Tenant } from './tenant.ts';

export const DOOMED = 'phaserun-e2e-doomed';

async function scaleController(replicas: number): Promise<void> {
  const deployment = `deployment/${RELEASE}-controller`;
  await kubectl(['scale', deployment, '-n', NAMESPACE, `--replicas=${replicas}`]);
  await kubectl(['rollout', 'status', deployment, '-n', NAMESPACE, '--timeout=120s']);
  await until('as many pods are left', async () => {
    const selector = 'app.kubernetes.io/component=controller';
    const { items } = await getJson<{ items: unknown[] }>('pods', '-n', NAMESPACE, '-l', selector);
    expect(items).toHaveLength(replicas);
  });
}

export function testDeletion(): void {
  describe('while nobody archives', () => {
    let tenant: Tenant;
    beforeAll(async () => {
      tenant = await makeTenant('doomed');
      await scaleController(0);
      await bindNamespace(DOOMED, tenant);
      await applyRuns([11, 12, 13].map((issue) => makeRun(tenant, DOOMED, issue)));
    });
    afterAll(() => scaleController(2));

    test('a PhaseRun is not deleted, until a cluster admin says that it is meant', async () => {
      const remove = () => tryKubectl(['delete', 'phr', 'validation-13', '-n', DOOMED]);
      const { ok, output } = await remove();
      expect(ok).toBe(false);
      expect(output).toContain('is not archived at its current generation');
      await kubectl(['annotate', 'phr', 'validation-13', '-n', DOOMED, 'phases.rsolv.dev/discard=true']);
      expect(await remove()).toMatchObject({ ok: true });
    });

    test.skipIf(auditLog === undefined)('that is audited', async () => {
      const said = 'phaserun-deletion.phases.rsolv.dev/discarded';
      await until('it is in the audit log', async () => {
        const entries = await auditLog?.();
        const told = entries?.flatMap(({ verb, responseStatus, annotations }) =>
          verb === 'delete' && responseStatus?.code === 200 ? (annotations?.[said] ?? []) : [],
        );
        expect(told).toEqual([
          `deletion of PhaseRun ${DOOMED}/validation-13 asked for before it was archived`,
        ]);
      });
    });

    test('a namespace that is deleted waits for what is in it to be archived, and then ends', async () => {
      await kubectl(['delete', 'namespace', DOOMED, '--wait=false']);
      await sleep(5_000);
      const { items } = await getJson<{ items: unknown[] }>('phr', '-n', DOOMED);
      expect(items).toHaveLength(2);
      await scaleController(2);
      await kubectl(['wait', '--for=delete', `namespace/${DOOMED}`, '--timeout=180s']);
      const rows = `SELECT count(*) FROM validation_executions
        WHERE customer_id = '${tenant.customerId}' AND issue_number IN (11, 12)`;
      expect(await query(rows)).toBe('2');
    });
  });

  test('the definition of PhaseRun is not deleted', async () => {
    const { ok, output } = await tryKubectl(['delete', 'crd', 'phaseruns.phases.rsolv.dev', '--wait=false']);
    expect(ok).toBe(false);
    expect(output).toContain('deletes every PhaseRun of the cluster');
  });
}
