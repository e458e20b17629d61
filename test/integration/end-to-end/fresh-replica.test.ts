import { expect, test, vi } from 'vitest';
import { freshDatabase } from '../../fixtures/database.ts';
import { ownKubernetes } from '../../fixtures/kubernetes.ts';
import { startTcpProxy } from '../kube/tcp-proxy.ts';
import { apiserverPort, kubeconfigWithPort } from '../kube/test-client.ts';
import { SOON } from './applied-runs.ts';
import { store } from './runner.ts';
import { createWorld } from './world.ts';

const { url: databaseUrl } = await freshDatabase();
const { kubeconfigPath } = await ownKubernetes();
const proxy = await startTcpProxy(await apiserverPort(kubeconfigPath));
const KUBECONFIG = await kubeconfigWithPort(kubeconfigPath, proxy.port);
const world = await createWorld({ kubeconfigPath, databaseUrl });

test("a replica that has just started knows its customers' namespaces: its first store becomes a row", async () => {
  const tenant = await world.makeTenant();
  await world.startController();
  proxy.sever();
  const starting = world.startApi({ KUBECONFIG });
  // It tries again after a tenth of a second, and serves meanwhile if it does not wait for that.
  await vi.waitFor(() => expect(proxy.connections).toBeGreaterThan(0), SOON);
  proxy.mend();
  const scan = { phase: 'scan', repo: `${tenant.owner}/shop`, commitSha: 'c0ffee', data: {} };
  expect(await store(await starting, tenant, scan)).toMatchObject({
    status: 200,
    body: { persisted: true, phaseRun: { namespace: tenant.namespace } },
  });
});
