import type { KubeClient } from '../kube/client.ts';
import { hasStatus } from '../kube/kube-error.ts';
import type { KubeObject } from '../kube/kube-object.ts';
import type { KubeResource } from '../kube/resource.ts';
import { CUSTOMER_ID_ANNOTATION } from '../resources/annotations.ts';
import { customerOfNamespace, NAMESPACES, type Namespace } from '../resources/namespace-binding.ts';
import type { Connection } from '../store/database.ts';
import { appendAdminEvent } from './audited.ts';
import type { Ensured } from './ensured.ts';
import { CommandFailure } from './failure.ts';

export type KubeNamespace = Namespace & KubeObject;

export function namespacesOf(client: KubeClient): KubeResource<KubeNamespace> {
  return client.resource(NAMESPACES);
}

/** @throws {CommandFailure} when there is none of this name */
export async function requireNamespace(
  namespaces: KubeResource<KubeNamespace>,
  name: string,
): Promise<KubeNamespace> {
  try {
    return await namespaces.get({ name });
  } catch (error) {
    if (!hasStatus(error, 404)) throw error;
    throw new CommandFailure(`there is no Kubernetes namespace ${name}`, {
      advice: `Create it with: kubectl create namespace ${name}`,
    });
  }
}

/** What binds a namespace to a customer, or to none. */
export function bindingAnnotation(customerId: string | null) {
  return { annotations: { [CUSTOMER_ID_ANNOTATION]: customerId } };
}

/**
 * Binds a namespace and notes it.
 * @throws {CommandFailure} when there is no such namespace, or it is another customer's and is not to be overwritten
 */
export async function bindNamespace(
  connection: Connection,
  client: KubeClient,
  name: string,
  { customerId, overwrite = false }: { readonly customerId: string; readonly overwrite?: boolean },
): Promise<Ensured<KubeNamespace>> {
  const namespaces = namespacesOf(client);
  const before = await requireNamespace(namespaces, name);
  const owner = customerOfNamespace(before);
  if (owner === customerId) return { value: before, change: 'unchanged' };
  if (owner !== undefined && !overwrite) {
    throw new CommandFailure(`namespace ${name} is bound to customer ${owner}`, {
      advice: `To take it from that customer: phaserun admin namespace bind ${name} --overwrite --customer <name>; runs that are archived stay whose they were.`,
    });
  }
  // With the version that was looked at: a binding made since is not overwritten by accident.
  const { resourceVersion } = before.metadata;
  const patch = { metadata: { resourceVersion, ...bindingAnnotation(customerId) } };
  const value = await namespaces.mergePatch({ name }, patch);
  await appendAdminEvent(connection, {
    customerId,
    eventType: 'namespace.bound',
    metadata: { namespace: name },
  });
  return { value, change: 'changed' };
}
