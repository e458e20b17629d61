import { beforeAll, describe, expect, test } from 'vitest';
import type { Verdict } from '../faults/checker.ts';
import { getJson, tryKubectl } from './commands.ts';
import { API_URL, databaseUrl, NAMESPACE, podsOf, RELEASE, untilRolledOut } from './release.ts';
import { untilSettled } from './phase-runs.ts';
import { type PodProgram, startInPod } from './runner-pod.ts';

/** What is killed, and how it is found. */
const KINDS: readonly [string, () => Promise<string>][] = [
  ['an API replica', () => firstPodOf('api')],
  ['the leading controller', findLeader],
  ['Postgres', () => firstPodOf('postgres')],
  ['Redis', () => firstPodOf('redis')],
];

async function firstPodOf(component: string): Promise<string> {
  const [pod] = await podsOf(component);
  if (pod === undefined) throw new Error(`there is no pod of ${component}`);
  return pod;
}

async function findLeader(): Promise<string> {
  const lease = await getJson<{ spec: { holderIdentity: string } }>(
    'lease',
    `${RELEASE}-controller`,
    '-n',
    NAMESPACE,
  );
  return `pod/${lease.spec.holderIdentity.replace(/_.*/, '')}`;
}

export function testOutages(): void {
  describe('while results are stored', () => {
    let load: PodProgram;
    beforeAll(async () => {
      load = startInPod('load', { apiUrl: API_URL, databaseUrl: await databaseUrl(), name: 'outages' });
      await load.hear();
    });

    test.each(KINDS)('%s is killed, and comes back', async (_what, find) => {
      const pod = await find();
      const { ok } = await tryKubectl(['delete', pod, '-n', NAMESPACE, '--grace-period=1']);
      expect(ok).toBe(true);
      await untilRolledOut();
    });

    test('nothing that was acknowledged was lost, doubled or put out of order', async () => {
      load.tell('stop');
      const counts = await load.hear<Record<string, number>>();
      process.stdout.write(`what runners were told: ${JSON.stringify(counts)}\n`);
      await untilSettled();
      load.tell('judge');
      const verdict = await load.hear<Verdict>();
      expect(verdict.violations).toEqual([]);
      expect(verdict.acknowledged).toBeGreaterThan(100);
    });
  });
}
