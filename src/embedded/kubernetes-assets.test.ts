import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { ensureKubernetesAssets, KUBERNETES_VERSION } from './kubernetes-assets.ts';

test('KUBEBUILDER_ASSETS comes first, with kubectl or without', async () => {
  const directory = await folderWith(['kube-apiserver', 'etcd']);
  const assets = await ensureKubernetesAssets({
    onProgress: fail,
    environment: { kubebuilderAssets: directory },
  });
  expect(assets).toEqual({
    directory,
    kubeApiserver: join(directory, 'kube-apiserver'),
    etcd: join(directory, 'etcd'),
  });
});

test('KUBEBUILDER_ASSETS without the programs is an error, and nothing else is tried', async () => {
  const directory = await folderWith(['kube-apiserver']);
  const asked = ensureKubernetesAssets({ onProgress: fail, environment: { kubebuilderAssets: directory } });
  await expect(asked).rejects.toThrow(
    `KUBEBUILDER_ASSETS is ${directory}, where there is no kube-apiserver and etcd`,
  );
});

test('what the cache holds is taken as it is', async () => {
  const cacheDirectory = await folderWith([]);
  const directory = join(cacheDirectory, 'phaserun', 'kubernetes', KUBERNETES_VERSION);
  await fill(directory, ['kube-apiserver', 'etcd', 'kubectl']);
  const assets = await ensureKubernetesAssets({ onProgress: fail, environment: { cacheDirectory } });
  expect(assets).toMatchObject({ directory, kubectl: join(directory, 'kubectl') });
});

test('the version is the one that hack/tools builds', async () => {
  const module = await readFile(new URL('../../hack/tools/go.mod', import.meta.url), 'utf8');
  expect(module).toContain(`\tk8s.io/kubernetes ${KUBERNETES_VERSION}`);
});

function fail(message: string): never {
  throw new Error(`nothing was to be made, but: ${message}`);
}

async function folderWith(programs: readonly string[]): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'phaserun-assets-'));
  onTestFinished(() => rm(directory, { recursive: true }));
  await fill(directory, programs);
  return directory;
}

async function fill(directory: string, programs: readonly string[]): Promise<void> {
  await mkdir(directory, { recursive: true });
  await Promise.all(programs.map((name) => writeFile(join(directory, name), '', { mode: 0o755 })));
}
