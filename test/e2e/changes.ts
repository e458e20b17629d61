import { randomBytes } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { APPLIED } from './applied-runs.ts';
import { getJson, kubectl } from './commands.ts';
import type { SteadyOutcome } from './in-pod/steady.ts';
import { takeStock } from './phase-runs.ts';
import {
  API_URL,
  apiUrlIn,
  databaseUrl,
  NAMESPACE,
  podsOf,
  query,
  RELEASE,
  rollBackRelease,
  untilRolledOut,
  upgradeRelease,
} from './release.ts';
import { ask, until } from './requests.ts';
import { startInPod } from './runner-pod.ts';
import type { Tenant } from './tenant.ts';

/** Stores something new. */
export async function storeOnce({ name, apiKey }: Tenant, namespace = NAMESPACE): Promise<number> {
  const commitSha = randomBytes(8).toString('hex');
  const body = { phase: 'scan', repo: `${name}/app`, commitSha, data: { vulnerabilities: [] } };
  return (await ask({ url: `${apiUrlIn(namespace)}/api/v1/phases/store`, apiKey, body })).status;
}

async function replicasOf(deployment: string): Promise<number> {
  const { status } = await getJson<{ status: { readyReplicas: number } }>(
    'deployment',
    `${RELEASE}-${deployment}`,
    '-n',
    NAMESPACE,
  );
  return status.readyReplicas;
}

/** Starts the pods of API and controller anew, and waits until those before are gone. */
async function restart(...components: readonly string[]): Promise<void> {
  const before = (await Promise.all(components.map(podsOf))).flat();
  for (const component of components)
    await kubectl(['rollout', 'restart', `deployment/${RELEASE}-${component}`, '-n', NAMESPACE]);
  await untilRolledOut();
  await kubectl(['wait', '--for=delete', ...before, '-n', NAMESPACE, '--timeout=90s']);
}

export function testChanges(tenant: Tenant): void {
  describe('the release is changed', () => {
    test('its API is restarted under load, and no request fails', async () => {
      const { name, apiKey } = tenant;
      const callers = startInPod('steady', { apiUrl: API_URL, apiKey, repo: `${name}/steady`, callers: 8 });
      await callers.hear();
      await restart('api');
      callers.tell('stop');
      const { answered, failed } = await callers.hear<SteadyOutcome>();
      expect(failed).toEqual([]);
      expect(answered).toBeGreaterThan(100);
    });

    test('an upgrade with other values keeps all there is', async () => {
      const before = await takeStock(APPLIED);
      await upgradeRelease(['--set', 'api.replicas=3', '--set', 'settings.LOG_LEVEL=debug']);
      expect(await replicasOf('api')).toBe(3);
      expect(await takeStock(APPLIED)).toEqual(before);
      expect(await storeOnce(tenant)).toBe(200);
    });

    test('and so does its rollback', async () => {
      const before = await takeStock(APPLIED);
      await rollBackRelease();
      expect(await replicasOf('api')).toBe(2);
      expect(await takeStock(APPLIED)).toEqual(before);
      expect(await storeOnce(tenant)).toBe(200);
    });

    test('the password of the database is changed, and an upgrade keeps the new one', async () => {
      const before = await databaseUrl();
      const password = randomBytes(24).toString('hex');
      await query(`ALTER ROLE phaserun PASSWORD '${password}'`);
      const patch = JSON.stringify({ stringData: { password } });
      await kubectl(['patch', 'secret', `${RELEASE}-postgres`, '-n', NAMESPACE, '-p', patch]);
      await restart('api', 'controller');
      expect(await storeOnce(tenant)).toBe(200);
      await upgradeRelease();
      const after = await databaseUrl();
      expect(after).toContain(`:${password}@`);
      expect(after).not.toBe(before);
      await until('it is stored', async () => expect(await storeOnce(tenant)).toBe(200));
    });
  });
}
