/** What this folder relies on in any object that the API server returned. */
export interface KubeObject {
  readonly metadata: {
    readonly name: string;
    /** Absent for objects of the cluster. */
    readonly namespace?: string | undefined;
    /** Opaque; equal means unchanged. */
    readonly resourceVersion: string;
    readonly annotations?: Readonly<Record<string, string>> | undefined;
  };
}

/** Names one object of a resource. */
export interface ObjectName {
  readonly name: string;
  /** Absent for objects of the cluster. */
  readonly namespace?: string | undefined;
}

/** `namespace/name`, or `name` for objects of the cluster: the key of caches and queues. */
export function keyOf({ namespace, name }: ObjectName): string {
  return namespace === undefined ? name : `${namespace}/${name}`;
}
