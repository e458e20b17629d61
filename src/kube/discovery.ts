import { z } from 'zod';
import type { KubeClient } from './client.ts';
import { hasStatus } from './kube-error.ts';
import type { ResourceDefinition } from './resource.ts';
import { apiVersionOf } from './resource-path.ts';

/** Finds where the objects of a kind live. */
export interface Discovery {
  /**
   * Undefined when the server does not serve the kind, or not yet.
   * @throws KubeError
   */
  find(apiVersion: string, kind: string, signal: AbortSignal): Promise<ResourceDefinition | undefined>;
}

/** `metav1.APIResourceList`, as far as it is used here. Subresources have a slash in their name. */
const resourceList = z.object({
  resources: z.array(z.object({ name: z.string(), kind: z.string(), namespaced: z.boolean() })),
});

/** Asks the server, and remembers the kinds that it serves. */
export function createDiscovery(client: KubeClient): Discovery {
  const known = new Map<string, ResourceDefinition>();

  async function load(apiVersion: string, signal: AbortSignal): Promise<void> {
    const { group, version } = splitApiVersion(apiVersion);
    const path = group === '' ? `/api/${version}` : `/apis/${apiVersionOf({ group, version })}`;
    const { resources } = resourceList.parse(await client.request({ method: 'GET', path, signal }));
    for (const { name: plural, kind, namespaced } of resources) {
      if (!plural.includes('/'))
        known.set(`${apiVersion} ${kind}`, { group, version, kind, plural, namespaced });
    }
  }

  return {
    async find(apiVersion, kind, signal) {
      const key = `${apiVersion} ${kind}`;
      if (!known.has(key)) await load(apiVersion, signal).catch(ignoreUnknownGroup);
      return known.get(key);
    },
  };
}

function splitApiVersion(apiVersion: string): { group: string; version: string } {
  const slash = apiVersion.indexOf('/');
  return { group: apiVersion.slice(0, Math.max(0, slash)), version: apiVersion.slice(slash + 1) };
}

/** A group that a CRD has just made is not served at once. */
function ignoreUnknownGroup(error: unknown): void {
  if (!hasStatus(error, 404)) throw error;
}
