import { CoreV1Api, KubeConfig } from '@kubernetes/client-node';
import { Client } from 'pg';
import { expect, inject, test } from 'vitest';
import { freshDatabase } from '../../fixtures/database.ts';
import { freshNamespace } from '../../fixtures/kubernetes.ts';
import { serviceAccountKubeconfig } from '../../fixtures/service-account.ts';

const database = await freshDatabase();

test('a fresh database is migrated, empty, and keeps any text', async () => {
  const client = new Client({ connectionString: database.url });
  await client.connect();
  const { rows } = await client.query(
    "SELECT count(*)::int AS customers, current_setting('server_encoding') AS encoding FROM customers",
  );
  await client.end();
  expect(rows).toEqual([{ customers: 0, encoding: 'UTF8' }]);
});

test('a fresh namespace is bound to its customer', async () => {
  const name = await freshNamespace({ customerId: 'acme' });
  const { metadata } = await core(inject('kubeconfigPath')).readNamespace({ name });
  expect(metadata?.annotations).toMatchObject({ 'phases.rsolv.dev/customer-id': 'acme' });
});

test('a service account may do what its rules say, and nothing else', async () => {
  const namespace = await freshNamespace();
  const rules = [{ apiGroups: [''], resources: ['configmaps'], verbs: ['list'] }];
  const theirs = core(await serviceAccountKubeconfig({ namespace, rules }));
  await expect(theirs.listNamespacedConfigMap({ namespace })).resolves.toBeDefined();
  await expect(theirs.listNamespacedSecret({ namespace })).rejects.toMatchObject({ code: 403 });
});

function core(kubeconfigPath: string): CoreV1Api {
  const kubeconfig = new KubeConfig();
  kubeconfig.loadFromFile(kubeconfigPath);
  return kubeconfig.makeApiClient(CoreV1Api);
}
