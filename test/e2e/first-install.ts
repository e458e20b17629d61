import { describe, expect, test } from 'vitest';
import { kubectl } from './commands.ts';
import {
  API_URL,
  installRelease,
  makeNamespace,
  NAMESPACE,
  query,
  refuseWhereInstalled,
  RELEASE,
  untilRolledOut,
} from './release.ts';
import { ask, until } from './requests.ts';
import { startRunnerPod } from './runner-pod.ts';
import { makeTenant, type Tenant } from './tenant.ts';

/** Installs the release in an empty cluster, and measures how long it takes until a result can be stored. */
export async function installFirst(): Promise<Tenant> {
  await refuseWhereInstalled();
  await makeNamespace();
  const [tenant] = await Promise.all([installAndMeasure(), startRunnerPod()]);
  await untilRolledOut();
  return tenant;
}

async function installAndMeasure(): Promise<Tenant> {
  const began = performance.now();
  await installRelease();
  const tenant = await until('a customer is made', () => makeTenant('first'));
  const { name, apiKey } = tenant;
  const body = { phase: 'scan', repo: `${name}/app`, commitSha: 'c0', data: { vulnerabilities: [] } };
  await until('the first store is answered 200', async () => {
    const { status } = await ask({ url: `${API_URL}/api/v1/phases/store`, apiKey, body });
    expect(status).toBe(200);
  });
  const seconds = (performance.now() - began) / 1_000;
  process.stdout.write(`helm install to the first 200 from store: ${seconds.toFixed(1)} s\n`);
  return tenant;
}

export function testFirstInstall(tenant: Tenant): void {
  describe('installed', () => {
    test('a pod of the cluster stores a result, and another request finds it', async () => {
      const { apiKey, name } = tenant;
      const place = { repo: `${name}/app`, commitSha: 'c1', issueNumber: 7 };
      const data = { validated: true, vulnerabilities: [{ type: 'xss' }] };
      const body = { phase: 'validation', ...place, data };
      expect(await ask({ url: `${API_URL}/api/v1/phases/store`, apiKey, body })).toMatchObject({
        status: 200,
        body: { success: true, phase: 'validation' },
      });
      const found = `${API_URL}/api/v1/phases/retrieve?repo=${name}/app&issue=7&commit=c1`;
      expect(await ask({ url: found, apiKey })).toEqual({
        status: 200,
        body: { validation: { 'issue-7': data } },
      });
    });

    test('payloads are compressed with lz4, which this server has', async () => {
      const methods = `SELECT string_agg(DISTINCT attcompression::text, '') FROM pg_attribute
        WHERE attname = 'data' AND attrelid::regclass::text ~ '^(.*_executions|payloads)$'`;
      expect(await query(methods)).toBe('l');
    });

    test('everything is connected', async () => {
      const health = `/api/v1/namespaces/${NAMESPACE}/services/${RELEASE}-api:http/proxy/health`;
      expect(JSON.parse(await kubectl(['get', '--raw', health]))).toMatchObject({
        status: 'healthy',
        database: 'connected',
        redis: 'connected',
        kubernetes: 'connected',
      });
    });
  });
}
