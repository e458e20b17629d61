import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, inject } from 'vitest';
import { createKubeClient, type KubeClient, type KubeClientObserver } from '../../../src/kube/client.ts';
import type { KubeObject } from '../../../src/kube/kube-object.ts';
import type { ResourceDefinition } from '../../../src/kube/resource.ts';
import { runLogger } from '../../fixtures/run-log/of-test.ts';

export const logger = runLogger('kube');

export const CONFIG_MAPS: ResourceDefinition = {
  group: '',
  version: 'v1',
  kind: 'ConfigMap',
  plural: 'configmaps',
  namespaced: true,
};

export interface ConfigMap extends KubeObject {
  readonly metadata: KubeObject['metadata'] & {
    readonly uid: string;
    readonly labels?: Readonly<Record<string, string>>;
    readonly managedFields?: unknown;
  };
  readonly data?: Readonly<Record<string, string>>;
}

/** A client that is closed after the tests of the file. */
export function testClient(
  kubeconfigPath: string = inject('kubeconfigPath'),
  observer?: KubeClientObserver,
): KubeClient {
  const source = { kind: 'kubeconfig', path: kubeconfigPath } as const;
  const client = createKubeClient(source, { logger, ...(observer !== undefined && { observer }) });
  afterAll(() => client.close());
  return client;
}

/** A folder that is gone after the tests of the file. */
export async function testDirectory(): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'phaserun-kube-'));
  afterAll(() => rm(directory, { recursive: true }));
  return directory;
}

/** Path of a copy of the kubeconfig that leads to another port. */
export async function kubeconfigWithPort(kubeconfigPath: string, port: number): Promise<string> {
  const text = await readFile(kubeconfigPath, 'utf8');
  const path = join(await testDirectory(), 'kubeconfig');
  await writeFile(path, text.replace(/https:\/\/127\.0\.0\.1:\d+/, `https://127.0.0.1:${port}`));
  return path;
}

/** Port of the API server that a kubeconfig leads to. */
export async function apiserverPort(kubeconfigPath: string = inject('kubeconfigPath')): Promise<number> {
  const text = await readFile(kubeconfigPath, 'utf8');
  return Number(/https:\/\/127\.0\.0\.1:(\d+)/.exec(text)?.[1]);
}
