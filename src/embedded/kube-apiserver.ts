import { existsSync } from 'node:fs';
import { get } from 'node:https';
import {
  type KubernetesCredentials,
  readServingCertificate,
  servingCertificatePath,
} from './kubernetes-credentials.ts';
import { type ServerProcess, startServer } from './server-process.ts';

export interface KubeApiserverSettings {
  readonly directory: string;
  readonly program: string;
  readonly etcdUrl: string;
  readonly port: number;
  readonly credentials: KubernetesCredentials;
}

/** A kube-apiserver on loopback, ready when this resolves: RBAC's own roles are there. */
export async function startKubeApiserver(settings: KubeApiserverSettings): Promise<ServerProcess> {
  const { directory, program, etcdUrl, port, credentials } = settings;
  return startServer({
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
      // Without it the end waits for the watchers, who do not go by themselves.
      '--shutdown-watch-termination-grace-period=1s',
    ],
    orphanSignal: 'KILL',
    isReady: () => isReady(port, credentials.certificateDirectory),
  });
}

async function isReady(port: number, certificateDirectory: string): Promise<boolean> {
  if (!existsSync(servingCertificatePath(certificateDirectory))) return false;
  const ca = await readServingCertificate(certificateDirectory);
  return new Promise((resolve) => {
    const options = { host: '127.0.0.1', port, path: '/readyz', ca, agent: false, timeout: 5_000 };
    const request = get(options, (response) => {
      response.resume();
      resolve(response.statusCode === 200);
    });
    request.on('error', () => resolve(false));
    request.on('timeout', () => request.destroy());
  });
}
