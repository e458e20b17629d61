import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { claimDirectory } from './claimed-directory.ts';
import { startEtcd } from './etcd.ts';
import { startKubeApiserver } from './kube-apiserver.ts';
import type { KubernetesAssets } from './kubernetes-assets.ts';
import { ensureCredentials, makeKubeconfig, readServingCertificate } from './kubernetes-credentials.ts';
import { findStablePort } from './stable-port.ts';

export interface EmbeddedKubernetes {
  /** `https://127.0.0.1:<port>`. */
  readonly url: string;
  /** Of a cluster admin; rewritten at every start, for the port may be another. */
  readonly kubeconfigPath: string;
  /** Pids of the processes that run now. */
  pids(): { readonly etcd: number; readonly kubeApiserver: number };
  /** SIGKILL to kube-apiserver alone, as a crash would be; {@link restartApiserver} brings it back. */
  killApiserver(): Promise<void>;
  /** Ends kube-apiserver if it runs, and starts it on the same port. */
  restartApiserver(): Promise<void>;
  /** Ends everything and frees the directory; what was stored stays. */
  stop(): Promise<void>;
}

export interface StartKubernetesOptions {
  /** Holds data, certificates, keys and logs; a second start on it finds what the first one stored. */
  readonly directory: string;
  readonly assets: KubernetesAssets;
  /** Whether a write outlives a power cut, and not SIGKILL alone; false is faster, for tests. Default true. */
  readonly durable?: boolean;
}

/**
 * A control plane of etcd and kube-apiserver on loopback, with RBAC. There is no scheduler and no controller
 * manager: nothing runs pods, collects garbage or finishes the deletion of a namespace.
 * @throws DirectoryInUseError, ServerStartError
 */
export async function startKubernetes(options: StartKubernetesOptions): Promise<EmbeddedKubernetes> {
  const { assets, durable = true } = options;
  await using started = new AsyncDisposableStack();
  const { directory, release } = await claimDirectory(options.directory);
  started.defer(release);
  const credentials = await ensureCredentials(directory);
  const etcd = await startEtcd(directory, assets.etcd, { durable });
  started.defer(() => etcd.stop());
  const port = await findStablePort(directory, 'kube-apiserver');
  const start = () =>
    startKubeApiserver({ directory, program: assets.kubeApiserver, etcdUrl: etcd.url, port, credentials });
  let apiserver = await start();
  started.defer(() => apiserver.stop());
  const url = `https://127.0.0.1:${port}`;
  const kubeconfigPath = join(directory, 'kubeconfig');
  const certificate = await readServingCertificate(credentials.certificateDirectory);
  await writeFile(kubeconfigPath, makeKubeconfig(url, certificate, credentials.adminToken), { mode: 0o600 });
  const running = started.move();
  return {
    url,
    kubeconfigPath,
    pids: () => ({ etcd: etcd.pid, kubeApiserver: apiserver.pid }),
    killApiserver: () => apiserver.kill(),
    restartApiserver: async () => {
      await apiserver.stop();
      apiserver = await start();
    },
    stop: () => running.disposeAsync(),
  };
}
