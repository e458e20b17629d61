import { access, constants, mkdir } from 'node:fs/promises';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { DirectoryInUseError, type DirectoryLock, lockDirectory } from './directory-lock.ts';
import { KubernetesAssetsError } from './kubernetes-assets-error.ts';
import { buildKubernetes } from './kubernetes-build.ts';
import { downloadKubernetes, ENVTEST_RELEASES } from './kubernetes-download.ts';

/** What `hack/tools/go.mod` names. */
export const KUBERNETES_VERSION = 'v1.36.3';

export interface KubernetesAssets {
  readonly directory: string;
  readonly kubeApiserver: string;
  readonly etcd: string;
  /** Absent only where KUBEBUILDER_ASSETS points at a folder without it. */
  readonly kubectl?: string;
}

/** Where to look, as far as the environment says. */
export interface KubernetesEnvironment {
  /** KUBEBUILDER_ASSETS: a folder with kube-apiserver and etcd. */
  readonly kubebuilderAssets?: string;
  /** XDG_CACHE_HOME; default `~/.cache`. */
  readonly cacheDirectory?: string;
}

export interface EnsureKubernetesAssetsOptions {
  readonly onProgress: (message: string) => void;
  readonly signal?: AbortSignal;
  readonly environment?: KubernetesEnvironment;
}

/**
 * Finds kube-apiserver, etcd and kubectl: in KUBEBUILDER_ASSETS, in the cache, as a release to download; else
 * builds them, which takes minutes and happens once for a machine.
 * @throws KubernetesAssetsError when KUBEBUILDER_ASSETS lacks them or they can not be built, saying what to do.
 */
export async function ensureKubernetesAssets(
  options: EnsureKubernetesAssetsOptions,
): Promise<KubernetesAssets> {
  const { kubebuilderAssets, cacheDirectory = join(homedir(), '.cache') } = options.environment ?? {};
  if (kubebuilderAssets !== undefined) return requireAssets(kubebuilderAssets, 'KUBEBUILDER_ASSETS');
  const directory = join(cacheDirectory, 'phaserun', 'kubernetes', KUBERNETES_VERSION);
  const cached = await findAssets(directory);
  if (cached?.kubectl !== undefined) return cached;
  await mkdir(directory, { recursive: true });
  const lock = await waitForLock(directory, options);
  try {
    const madeMeanwhile = await findAssets(directory);
    if (madeMeanwhile?.kubectl === undefined) await downloadOrBuild(directory, options);
  } finally {
    await lock.release();
  }
  return requireAssets(directory, 'the cache');
}

async function downloadOrBuild(directory: string, options: EnsureKubernetesAssetsOptions): Promise<void> {
  const { onProgress, signal } = options;
  try {
    onProgress('looking for a release of kube-apiserver to download');
    await downloadKubernetes(directory, KUBERNETES_VERSION, { ...options, releasesUrl: ENVTEST_RELEASES });
  } catch (error) {
    signal?.throwIfAborted();
    onProgress(`not downloaded (${error instanceof Error ? error.message : String(error)})`);
    await buildKubernetes(directory, KUBERNETES_VERSION, options);
  }
}

async function requireAssets(directory: string, origin: string): Promise<KubernetesAssets> {
  const assets = await findAssets(directory);
  if (assets !== undefined) return assets;
  throw new KubernetesAssetsError(`${origin} is ${directory}, where there is no kube-apiserver and etcd`);
}

/** One process fetches or builds; the others wait, and then find what it left. */
async function waitForLock(
  directory: string,
  { onProgress, signal }: EnsureKubernetesAssetsOptions,
): Promise<DirectoryLock> {
  for (let waits = 0; ; waits += 1) {
    try {
      return await lockDirectory(directory);
    } catch (error) {
      if (!(error instanceof DirectoryInUseError)) throw error;
      if (waits % 10 === 0) onProgress(`waiting for process ${error.pid}, which is making kube-apiserver`);
      await sleep(1_000, undefined, signal === undefined ? {} : { signal });
    }
  }
}

async function findAssets(directory: string): Promise<KubernetesAssets | undefined> {
  const [kubeApiserver, etcd, kubectl] = await Promise.all(
    ['kube-apiserver', 'etcd', 'kubectl'].map((name) => findExecutable(join(directory, name))),
  );
  if (kubeApiserver === undefined || etcd === undefined) return undefined;
  return { directory, kubeApiserver, etcd, ...(kubectl !== undefined && { kubectl }) };
}

async function findExecutable(path: string): Promise<string | undefined> {
  return access(path, constants.X_OK).then(
    () => path,
    () => undefined,
  );
}
