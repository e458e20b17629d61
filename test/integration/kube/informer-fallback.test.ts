import { chmod, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, expect, inject, test } from 'vitest';
import { startKubernetes } from '../../../src/embedded/kubernetes.ts';
import { freshNamespace } from '../../fixtures/kubernetes.ts';
import { startTcpProxy } from './tcp-proxy.ts';
import {
  apiserverPort,
  CONFIG_MAPS,
  type ConfigMap,
  kubeconfigWithPort,
  testClient,
  testDirectory,
} from './test-client.ts';
import { namesOf, startInformer, synced, told } from './test-informer.ts';

/** A server that cannot begin a watch with what is there, as all of them before 1.32. */
async function startOldKubernetes() {
  const assets = inject('kubernetesAssets');
  const directory = await testDirectory();
  const kubeApiserver = join(directory, 'kube-apiserver');
  await writeFile(
    kubeApiserver,
    `#!/bin/sh\nexec '${assets.kubeApiserver}' "$@" --feature-gates=WatchList=false\n`,
  );
  await chmod(kubeApiserver, 0o755);
  return startKubernetes({
    directory: join(directory, 'data'),
    assets: { ...assets, kubeApiserver },
    durable: false,
  });
}

const kubernetes = await startOldKubernetes();
afterAll(() => kubernetes.stop());
const { kubeconfigPath } = kubernetes;
const proxy = await startTcpProxy(await apiserverPort(kubeconfigPath));
const direct = testClient(kubeconfigPath).resource<ConfigMap>(CONFIG_MAPS);
const resource = testClient(await kubeconfigWithPort(kubeconfigPath, proxy.port)).resource<ConfigMap>(
  CONFIG_MAPS,
);

test('an older server is listed page by page and then watched', async () => {
  const namespace = await freshNamespace({ kubeconfigPath });
  const names = Array.from({ length: 501 }, (_, index) => `object-${index}`);
  await Promise.all(names.map((name) => direct.create({ metadata: { namespace, name } })));
  const { informer, events, observer } = startInformer({ resource, namespace });
  await synced(informer);
  expect(informer.size).toBe(501);
  await direct.create({ metadata: { namespace, name: 'later' } });
  await expect.poll(() => informer.size).toBe(502);
  expect(events.filter(({ initial }) => initial)).toHaveLength(501);
  expect(observer.onRestart.mock.calls).toEqual([['failed']]);
});

test('and after a 410 the difference is told', async () => {
  const namespace = await freshNamespace({ kubeconfigPath });
  for (const name of ['same', 'deleted']) await direct.create({ metadata: { namespace, name } });
  const { informer, events, observer } = startInformer({ resource, namespace });
  await synced(informer);
  events.splice(0);
  proxy.sever();
  await direct.delete({ namespace, name: 'deleted' });
  await direct.create({ metadata: { namespace, name: 'added' } });
  await kubernetes.restartApiserver();
  proxy.mend();
  await expect.poll(() => namesOf(informer.list()), { timeout: 45_000 }).toEqual(['added', 'same']);
  expect(told(events).sort()).toEqual([`added ${namespace}/added`, `deleted ${namespace}/deleted`]);
  expect(observer.onRestart).toHaveBeenCalledWith('expired');
});
