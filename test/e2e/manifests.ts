import { existsSync } from 'node:fs';
import { expect, test } from 'vitest';
import { storeOnce } from './changes.ts';
import { kubectl } from './commands.ts';
import { uninstallRelease, untilRolledOut } from './release.ts';
import { until } from './requests.ts';
import { makeTenant } from './tenant.ts';

const INSTALL = 'manifests/install.yaml';
/** Named in the file. */
export const PLAIN_NAMESPACE = 'phaserun-system';

export function testManifests(): void {
  test('applied without Helm, it works as well', async ({ skip }) => {
    skip(!existsSync(INSTALL), `there is no ${INSTALL}`);
    // Two of them would archive the same PhaseRuns.
    await uninstallRelease();
    await kubectl(['apply', '--server-side', '--force-conflicts', '-f', INSTALL]);
    await untilRolledOut(PLAIN_NAMESPACE);
    const tenant = await until('a customer is made', () => makeTenant('plain', PLAIN_NAMESPACE));
    await until('a result is stored', async () => {
      expect(await storeOnce(tenant, PLAIN_NAMESPACE)).toBe(200);
    });
  });
}
