/** Where the address of the cluster and the credentials come from. */
export type KubeSource =
  /** `path` as in KUBECONFIG: one file, or several joined by the platform's delimiter. `context`: not the current one. */
  | { readonly kind: 'kubeconfig'; readonly path: string; readonly context?: string }
  /** The service account of the pod; `root` is the folder that `/var/run/secrets` lies in, if not `/`. */
  | { readonly kind: 'in-cluster'; readonly root?: string }
  /** The kubeconfig at `path` where one is given, else `~/.kube/config` where there is one, else the service account. */
  | { readonly kind: 'default'; readonly path?: string };
