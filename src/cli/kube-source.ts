import type { Config } from '../config.ts';
import type { KubeSource } from '../kube/kube-source.ts';

/** Where a process finds its cluster: the KUBECONFIG of the settings, else what is usual there. */
export function kubeSource({ kubeconfig }: Pick<Config, 'kubeconfig'>): KubeSource {
  return { kind: 'default', ...(kubeconfig === undefined ? {} : { path: kubeconfig }) };
}
