/** kube-apiserver and etcd are not to be had; the message says what to do. */
export class KubernetesAssetsError extends Error {
  override readonly name = 'KubernetesAssetsError';
  readonly code = 'KUBERNETES_ASSETS_MISSING';
}
