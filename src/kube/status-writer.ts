import { hasStatus } from './kube-error.ts';
import type { KubeObject } from './kube-object.ts';
import { makeMergePatch } from './merge-patch.ts';
import type { CallOptions, KubeResource } from './resource.ts';

/** `conflict`: the object has moved on since it was read; `gone`: it was deleted. Neither wrote anything. */
export type StatusWriteResult = 'written' | 'unchanged' | 'conflict' | 'gone';

/**
 * Makes `next` the status of an object, in one request, or in none when it is so already. It is written only over the very
 * state that `object` shows, which must hold the status as it was read.
 * @throws KubeError for every other failure
 */
export async function writeStatus<
  S extends object,
  T extends KubeObject & { readonly status?: S | undefined },
>(
  resource: KubeResource<T>,
  object: NoInfer<T>,
  next: NoInfer<S>,
  options?: CallOptions,
): Promise<StatusWriteResult> {
  const { metadata, status = {} } = object;
  const patch = makeMergePatch(status, next);
  if (patch === undefined) return 'unchanged';
  const { resourceVersion } = metadata;
  try {
    await resource.mergePatchStatus(metadata, { metadata: { resourceVersion }, status: patch }, options);
    return 'written';
  } catch (error) {
    if (hasStatus(error, 409)) return 'conflict';
    if (hasStatus(error, 404)) return 'gone';
    throw error;
  }
}
