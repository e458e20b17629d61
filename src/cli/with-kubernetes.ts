import { loadConfig } from '../config.ts';
import type { KubeClient } from '../kube/client.ts';
import { createLogger } from '../telemetry/logger.ts';

/** For the help of commands that talk to Kubernetes. */
export const KUBERNETES_ENVIRONMENT: Readonly<Record<string, string>> = {
  KUBECONFIG: 'kubeconfig of the cluster; default ~/.kube/config, else the service account of the pod',
};

/** Runs the work on a client of its own, and closes it. */
export async function withKubernetes<T>(work: (client: KubeClient) => Promise<T>): Promise<T> {
  // Loaded only here: the Kubernetes client takes longer to load than the other commands to run.
  const { createKubeClient } = await import('../kube/client.ts');
  const { kubeconfig } = loadConfig();
  const source = { kind: 'default', ...(kubeconfig === undefined ? {} : { path: kubeconfig }) } as const;
  const client = createKubeClient(source, { logger: createLogger({ name: 'cli', level: 'silent' }) });
  try {
    return await work(client);
  } finally {
    await client.close();
  }
}
