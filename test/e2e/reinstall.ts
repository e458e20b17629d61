import { describe, expect, test } from 'vitest';
import { APPLIED } from './applied-runs.ts';
import { storeOnce } from './changes.ts';
import { getJson, kubectl } from './commands.ts';
import { takeStock } from './phase-runs.ts';
import {
  CHART,
  installRelease,
  NAMESPACE,
  uninstallRelease,
  untilRolledOut,
  upgradeRelease,
} from './release.ts';
import { until } from './requests.ts';
import type { Tenant } from './tenant.ts';

/** A checkout of the commit before, whose image has the tag `before`; hack/e2e makes both where that commit has a chart. */
const BEFORE = process.env['E2E_BEFORE'];

export function testReinstall(tenant: Tenant): void {
  let stock: Awaited<ReturnType<typeof takeStock>>;

  describe('uninstalled', () => {
    test('it leaves no pod, and keeps data, passwords and the PhaseRuns with their guards', async () => {
      stock = await takeStock(APPLIED);
      await uninstallRelease();
      const selector = [
        '-n',
        NAMESPACE,
        '-l',
        'app.kubernetes.io/component in (api,controller,postgres,redis)',
      ];
      await until('its pods are gone', async () => {
        expect(await getJson<{ items: unknown[] }>('pods', ...selector)).toMatchObject({ items: [] });
      });
      const kept = await kubectl(['get', 'pvc,secrets', '-n', NAMESPACE, '-o', 'name']);
      expect(kept.trim().split('\n')).toEqual(
        expect.arrayContaining([
          'persistentvolumeclaim/data-phaserun-postgres-0',
          'secret/phaserun-postgres',
          'secret/phaserun-redis',
        ]),
      );
      const guards = await kubectl(['get', 'validatingadmissionpolicies', '-o', 'name']);
      expect(guards).toContain('phaserun-deletion.phases.rsolv.dev');
      const { items } = await getJson<{ items: unknown[] }>('phr', '-n', APPLIED);
      expect(items).toHaveLength(stock.phaseRuns.length);
    });
  });

  const [chart, values, whose] =
    BEFORE === undefined
      ? [CHART, [], 'the chart of now']
      : [`${BEFORE}/charts/phaserun`, ['--set', 'image.tag=before'], 'the chart of the commit before'];

  test(`installed again with ${whose}, it has all that it had`, async () => {
    await installRelease(chart, values);
    await untilRolledOut();
    expect(await takeStock(APPLIED)).toEqual(stock);
    // The key of old is good.
    await until('a result is stored', async () => expect(await storeOnce(tenant)).toBe(200));
  });

  test('upgraded from the chart of the commit before, it has all that it had', async ({ skip }) => {
    skip(BEFORE === undefined, 'the commit before has no chart, or its image is not in this cluster');
    stock = await takeStock(APPLIED);
    await upgradeRelease();
    expect(await takeStock(APPLIED)).toEqual(stock);
    expect(await storeOnce(tenant)).toBe(200);
  });
}
