import { stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import { CoreV1Api, KubeConfig } from '@kubernetes/client-node';
import { expect, inject, onTestFinished, test } from 'vitest';
import { type EmbeddedKubernetes, startKubernetes } from '../../../src/embedded/kubernetes.ts';
import { temporaryDirectory } from '../../fixtures/temporary-directory.ts';

const assets = inject('kubernetesAssets');

test('what was stored, the kubeconfig and old tokens are good after a restart', async () => {
  const directory = await temporaryDirectory();
  const first = await start(directory);
  const before = core(first);
  await before.createNamespacedConfigMap({ namespace: 'default', body: configMap('kept') });
  await before.createNamespacedServiceAccount({
    namespace: 'default',
    body: { metadata: { name: 'caller' } },
  });
  const token = await tokenOf(before, 'caller');
  await first.stop();

  const second = await start(directory);
  expect(second.url).toBe(first.url);
  const { data } = await core(second).readNamespacedConfigMap({ namespace: 'default', name: 'kept' });
  expect(data).toEqual({ name: 'kept' });
  // Accepted, and then refused for want of a role: a token that is not known answers 401.
  const theirs = core(second, token).listNamespacedSecret({ namespace: 'default' });
  await expect(theirs).rejects.toMatchObject({ code: 403 });
});

test('a write outlives SIGKILL of kube-apiserver, which comes back on its port', async () => {
  const kubernetes = await start(await temporaryDirectory());
  const client = core(kubernetes);
  await client.createNamespacedConfigMap({ namespace: 'default', body: configMap('before') });
  const { kubeApiserver } = kubernetes.pids();
  await kubernetes.killApiserver();
  await expect(client.readNamespacedConfigMap({ namespace: 'default', name: 'before' })).rejects.toThrow(
    'fetch failed',
  );
  await kubernetes.restartApiserver();
  expect(kubernetes.pids().kubeApiserver).not.toBe(kubeApiserver);
  await expect(
    client.readNamespacedConfigMap({ namespace: 'default', name: 'before' }),
  ).resolves.toBeDefined();
});

test('a second start on the same directory is refused, naming who is there', async () => {
  const directory = dirname(inject('kubeconfigPath'));
  await expect(startKubernetes({ directory, assets })).rejects.toThrow(
    `${directory} is in use by process ${process.ppid}`,
  );
});

test('credentials are readable by their owner alone', async () => {
  expect((await stat(inject('kubeconfigPath'))).mode & 0o777).toBe(0o600);
});

async function start(directory: string): Promise<EmbeddedKubernetes> {
  const kubernetes = await startKubernetes({ directory, assets, durable: false });
  onTestFinished(() => kubernetes.stop());
  return kubernetes;
}

function core(kubernetes: EmbeddedKubernetes, token?: string): CoreV1Api {
  const kubeconfig = new KubeConfig();
  kubeconfig.loadFromFile(kubernetes.kubeconfigPath);
  const cluster = kubeconfig.getCurrentCluster();
  if (token !== undefined && cluster !== null)
    kubeconfig.loadFromClusterAndUser(cluster, { name: 'caller', token });
  return kubeconfig.makeApiClient(CoreV1Api);
}

function configMap(name: string) {
  return { metadata: { name }, data: { name } };
}

async function tokenOf(client: CoreV1Api, name: string): Promise<string> {
  const body = { spec: { audiences: [] } };
  const { status } = await client.createNamespacedServiceAccountToken({ namespace: 'default', name, body });
  if (status?.token === undefined) throw new Error(`no token for ${name}`);
  return status.token;
}
