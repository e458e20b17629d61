import { z } from 'zod';
import type { KubeClient } from './client.ts';
import { pause, systemClock } from './clock.ts';
import { createDiscovery, type Discovery } from './discovery.ts';
import { hasStatus } from './kube-error.ts';
import type { Manifest } from './manifest.ts';
import { collectionPath, objectPath } from './resource-path.ts';

/** What other objects need comes first; within a rank the order given stays. */
const RANKS: readonly string[] = ['Namespace', 'CustomResourceDefinition'];

/** Between two looks at something that the server has yet to do. */
const POLL_MS = 50;

export interface ApplyOptions {
  /** Names the owner of the fields that are set. */
  readonly fieldManager: string;
  /** Namespace of namespaced objects that name none. Default `default`. */
  readonly namespace?: string;
  /** Ends the waiting, for a CRD to be served above all. */
  readonly signal: AbortSignal;
}

/**
 * Applies objects of any kinds (server-side apply; fields that others own are taken over), CRDs and namespaces first, and
 * returns when the kinds of its CRDs are served. They are sent as they are: the typed classes of client-node would drop
 * every `x-kubernetes-*` member of a CRD.
 * @throws KubeError when the server refuses an object; what came before it stays applied
 * @throws Error naming the kind that was not served when the signal aborted
 */
export async function applyManifests(
  client: KubeClient,
  manifests: readonly Manifest[],
  options: ApplyOptions,
): Promise<void> {
  const discovery = createDiscovery(client);
  for (const manifest of manifests.toSorted((a, b) => rank(a) - rank(b))) {
    await apply(client, discovery, manifest, options);
  }
}

function rank({ kind }: Manifest): number {
  const index = RANKS.indexOf(kind);
  return index === -1 ? RANKS.length : index;
}

async function apply(
  client: KubeClient,
  discovery: Discovery,
  manifest: Manifest,
  { fieldManager, namespace = 'default', signal }: ApplyOptions,
): Promise<void> {
  const { apiVersion, kind, metadata } = manifest;
  const definition = await until(signal, `${apiVersion} ${kind}`, () =>
    discovery.find(apiVersion, kind, signal),
  );
  const target = definition.namespaced ? { namespace, ...metadata } : { name: metadata.name };
  const path = objectPath(definition, target);
  await client.request({
    method: 'PATCH',
    path,
    query: { fieldManager, force: true, fieldValidation: 'Strict' },
    contentType: 'application/apply-patch+yaml',
    body: manifest,
    signal,
  });
  if (kind === 'CustomResourceDefinition') {
    await until(signal, metadata.name, () => findServed(client, path, signal));
  }
}

/** A CRD, as far as it is used here. */
const crd = z.object({
  spec: z.object({
    group: z.string(),
    names: z.object({ plural: z.string() }),
    versions: z.array(z.object({ name: z.string(), served: z.boolean() })),
  }),
  status: z
    .object({ conditions: z.array(z.object({ type: z.string(), status: z.string() })).nullish() })
    .optional(),
});

/** The version of a CRD that is served, once it is: that comes a moment after its condition Established. */
async function findServed(
  client: KubeClient,
  path: string,
  signal: AbortSignal,
): Promise<string | undefined> {
  const { spec, status } = crd.parse(await client.request({ method: 'GET', path, signal }));
  const established = status?.conditions?.some(
    (each) => each.type === 'Established' && each.status === 'True',
  );
  const version = spec.versions.find(({ served }) => served)?.name;
  if (established !== true || version === undefined) return undefined;
  const collection = collectionPath({ group: spec.group, version, plural: spec.names.plural });
  try {
    await client.request({ method: 'GET', verb: 'list', path: collection, query: { limit: 1 }, signal });
    return version;
  } catch (error) {
    if (hasStatus(error, 404)) return undefined;
    throw error;
  }
}

/** Looks again and again until there is something. */
async function until<T>(signal: AbortSignal, what: string, look: () => Promise<T | undefined>): Promise<T> {
  try {
    for (;;) {
      const found = await look();
      if (found !== undefined) return found;
      await pause(systemClock, POLL_MS, signal);
      signal.throwIfAborted();
    }
  } catch (error) {
    if (!signal.aborted) throw error;
    throw new Error(`the API server does not serve ${what}`, { cause: error });
  }
}
