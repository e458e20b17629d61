import { writeFile } from 'node:fs/promises';
import { get } from 'node:https';
import { join } from 'node:path';
import { type EmbeddedEtcd, startEtcd } from './etcd.ts';
import { findFreePort } from './free-port.ts';
import type { KubernetesAssets } from './kubernetes-assets.ts';
import {
  ensureCredentials,
  type KubernetesCredentials,
  makeKubeconfig,
  readServingCertificate,
} from './kubernetes-credentials.ts';
import { claimDirectory, type ServerProcess, startServer } from './server-process.ts';

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
  /** Taken if free, so that a kubeconfig copied elsewhere stays good. */
  readonly port?: number;
  /** Whether a write outlives a power cut, and not SIGKILL alone; false is faster, for tests. Default true. */
  readonly durable?: boolean;
  readonly onProgress?: (message: string) => void;
}

/**
 * A control plane of etcd and kube-apiserver on loopback, with RBAC. There is no scheduler and no controller
 * manager: nothing runs pods, collects garbage or finishes the deletion of a namespace.
 * @throws DirectoryInUseError, ServerStartError
 */
export async function startKubernetes(options: StartKubernetesOptions): Promise<EmbeddedKubernetes> {
  const { assets, onProgress = () => undefined, durable = true } = options;
  const claim = await claimDirectory(options.directory);
  const { directory } = claim;
  let etcd: EmbeddedEtcd | undefined;
  try {
    const credentials = await ensureCredentials(directory);
    onProgress('starting etcd');
    etcd = await startEtcd(directory, assets.etcd, { durable });
    const port = await findFreePort(options.port);
    const start = apiserverStarter({
      directory,
      program: assets.kubeApiserver,
      etcdUrl: etcd.url,
      port,
      credentials,
    });
    onProgress('starting kube-apiserver');
    const apiserver = await start();
    const kubeconfigPath = join(directory, 'kubeconfig');
    await writeKubeconfig(kubeconfigPath, port, credentials);
    return controlPlane({ etcd, apiserver, start, port, kubeconfigPath, release: () => claim.release() });
  } catch (error) {
    await etcd?.stop();
    await claim.release();
    throw error;
  }
}

interface ControlPlaneParts {
  readonly etcd: EmbeddedEtcd;
  readonly apiserver: ServerProcess;
  readonly start: () => Promise<ServerProcess>;
  readonly port: number;
  readonly kubeconfigPath: string;
  readonly release: () => Promise<void>;
}

function controlPlane({
  etcd,
  apiserver,
  start,
  port,
  kubeconfigPath,
  release,
}: ControlPlaneParts): EmbeddedKubernetes {
  let running = apiserver;
  return {
    url: `https://127.0.0.1:${port}`,
    kubeconfigPath,
    pids: () => ({ etcd: etcd.pid, kubeApiserver: running.pid }),
    killApiserver: () => running.kill(),
    restartApiserver: async () => {
      await running.stop();
      running = await start();
    },
    stop: async () => {
      await running.stop();
      await etcd.stop();
      await release();
    },
  };
}

interface ApiserverSettings {
  readonly directory: string;
  readonly program: string;
  readonly etcdUrl: string;
  readonly port: number;
  readonly credentials: KubernetesCredentials;
}

function apiserverStarter({ directory, program, etcdUrl, port, credentials }: ApiserverSettings) {
  return () =>
    startServer({
      name: 'kube-apiserver',
      directory,
      program,
      args: [
        `--etcd-servers=${etcdUrl}`,
        '--bind-address=127.0.0.1',
        '--advertise-address=127.0.0.1',
        `--secure-port=${port}`,
        `--cert-dir=${credentials.certificateDirectory}`,
        '--authorization-mode=RBAC',
        `--token-auth-file=${credentials.tokenFile}`,
        '--service-account-issuer=https://kubernetes.default.svc',
        `--service-account-key-file=${credentials.serviceAccountKeyFile}`,
        `--service-account-signing-key-file=${credentials.serviceAccountKeyFile}`,
        '--service-cluster-ip-range=10.96.0.0/16',
        // The service `kubernetes` would have to point at loopback, which an endpoint must not.
        '--endpoint-reconciler-type=none',
        // A watcher is cut off at once when we stop, instead of holding the stop up.
        '--shutdown-watch-termination-grace-period=0s',
      ],
      orphanSignal: 'KILL',
      isReady: () => isReady(port, credentials.certificateDirectory),
    });
}

async function isReady(port: number, certificateDirectory: string): Promise<boolean> {
  const ca = await readServingCertificate(certificateDirectory);
  if (ca === undefined) return false;
  return new Promise((resolve) => {
    const request = get(
      { host: '127.0.0.1', port, path: '/readyz', ca, agent: false, timeout: 5_000 },
      (response) => {
        response.resume();
        resolve(response.statusCode === 200);
      },
    );
    request.on('error', () => resolve(false));
    request.on('timeout', () => request.destroy());
  });
}

async function writeKubeconfig(
  path: string,
  port: number,
  credentials: KubernetesCredentials,
): Promise<void> {
  const certificate = await readServingCertificate(credentials.certificateDirectory);
  if (certificate === undefined) throw new Error(`no apiserver.crt in ${credentials.certificateDirectory}`);
  await writeFile(path, makeKubeconfig(`https://127.0.0.1:${port}`, certificate, credentials.adminToken), {
    mode: 0o600,
  });
}
