import type { KubeClient, KubeRequest } from './client.ts';
import { makeStatusError } from './kube-error.ts';
import type { KubeObject, ObjectName } from './kube-object.ts';
import { apiVersionOf, collectionPath, objectPath } from './resource-path.ts';

/** Objects on a page of a list, which is in memory as a whole, as text and parsed: each may be a megabyte. client-go has 500. */
const PAGE_SIZE = 100;

/** Answers with the metadata of the object alone, as client-go's metadata client asks; a server that cannot sends all of it. */
const METADATA_ONLY = 'application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1,application/json';

/** Where objects of one kind live in the API. */
export interface ResourceDefinition {
  /** Empty for the core group. */
  readonly group: string;
  readonly version: string;
  readonly kind: string;
  /** Lower case, such as `phaseruns`. */
  readonly plural: string;
  readonly namespaced: boolean;
}

export interface CallOptions {
  readonly signal?: AbortSignal | undefined;
  /** Default 30 s. */
  readonly timeoutMs?: number | undefined;
}

export interface GetOptions extends CallOptions {
  /** Some version that was seen: what the server has in memory will do if it is not older. Absent: the newest, from etcd. */
  readonly notOlderThan?: string;
}

export interface SelectOptions {
  /** Absent: all namespaces. */
  readonly namespace?: string | undefined;
  readonly labelSelector?: string | undefined;
  readonly fieldSelector?: string | undefined;
}

export interface Page<T> {
  readonly items: readonly T[];
  /** What to watch from. */
  readonly resourceVersion: string;
  /** Names the next page; absent on the last. */
  readonly continue?: string;
}

/** An object to be created; `apiVersion` and `kind` are added. */
export interface Draft {
  readonly metadata: ObjectName & { readonly [member: string]: unknown };
  readonly [member: string]: unknown;
}

export interface CreateOptions extends CallOptions {
  /**
   * What the server does about fields that the kind does not have: `Strict` (the default) refuses them, the server's own
   * default drops them without a word.
   */
  readonly fieldValidation?: 'Strict' | 'Warn' | 'Ignore';
}

export interface DeleteOptions extends CallOptions {
  /** Delete only what still is this very object, else 409. */
  readonly preconditions?: { readonly uid?: string; readonly resourceVersion?: string };
}

export interface WatchOptions extends SelectOptions {
  /** Absent: from the newest state. */
  readonly resourceVersion?: string | undefined;
  /** Begins with what is there, ended by a bookmark that `isInitialEventsEnd` knows (KEP-3157). */
  readonly sendInitialEvents?: boolean;
  /** The server ends the watch after so long. */
  readonly timeoutSeconds: number;
  /** The watch fails with reason `Timeout` when neither event nor bookmark arrives for so long. */
  readonly silenceMs: number;
  readonly signal: AbortSignal;
}

/** Of a bookmark's object only the metadata is set, and there only `resourceVersion` and annotations. */
export interface WatchEvent<T> {
  readonly type: 'ADDED' | 'MODIFIED' | 'DELETED' | 'BOOKMARK';
  readonly object: T;
}

/** Typed calls for one kind. All throw as {@link KubeClient.request} does. */
export interface KubeResource<T extends KubeObject> {
  readonly definition: ResourceDefinition;
  get(target: ObjectName, options?: GetOptions): Promise<T>;
  listPage(
    options?: SelectOptions & CallOptions & { readonly continue?: string | undefined },
  ): Promise<Page<T>>;
  /** All pages, one after another. */
  list(options?: SelectOptions & CallOptions): Promise<readonly T[]>;
  create(draft: Draft, options?: CreateOptions): Promise<T>;
  /** RFC 7386; with `metadata.resourceVersion` in it, 409 when the object has moved on. Unknown fields are refused. */
  mergePatch(target: ObjectName, patch: object, options?: CallOptions): Promise<T>;
  /** {@link mergePatch} of the status subresource. The object is not answered: what is written often is often large. */
  mergePatchStatus(target: ObjectName, patch: object, options?: CallOptions): Promise<void>;
  delete(target: ObjectName, options?: DeleteOptions): Promise<void>;
  watch(options: WatchOptions): AsyncGenerator<WatchEvent<T>, void, undefined>;
}

export function createKubeResource<T extends KubeObject>(
  client: Pick<KubeClient, 'request' | 'stream'>,
  definition: ResourceDefinition,
): KubeResource<T> {
  const { kind } = definition;
  const apiVersion = apiVersionOf(definition);
  // The API server has validated the object against the schema of its kind.
  const asObject = (answer: unknown) => answer as T;

  function patch(path: string, body: object, options: CallOptions & Pick<KubeRequest, 'accept'> = {}) {
    const query = { fieldValidation: 'Strict' };
    const contentType = 'application/merge-patch+json';
    return client.request({ ...options, method: 'PATCH', path, query, body, contentType });
  }

  const resource: KubeResource<T> = {
    definition,
    async get(target, { notOlderThan, ...call } = {}) {
      const query = { resourceVersion: notOlderThan };
      const path = objectPath(definition, target);
      return asObject(await client.request({ ...call, method: 'GET', path, query }));
    },
    async listPage(options = {}) {
      const { namespace, labelSelector, fieldSelector, continue: token, ...call } = options;
      const query = { labelSelector, fieldSelector, limit: PAGE_SIZE, continue: token };
      const path = collectionPath(definition, namespace);
      return readPage<T>(await client.request({ ...call, method: 'GET', verb: 'list', path, query }));
    },
    async list(options = {}) {
      const items: T[] = [];
      for (let page = await resource.listPage(options); ; ) {
        items.push(...page.items);
        if (page.continue === undefined) return items;
        page = await resource.listPage({ ...options, continue: page.continue });
      }
    },
    async create(draft, { fieldValidation = 'Strict', ...call } = {}) {
      const path = collectionPath(definition, draft.metadata.namespace);
      const body = { apiVersion, kind, ...draft };
      return asObject(
        await client.request({ ...call, method: 'POST', path, query: { fieldValidation }, body }),
      );
    },
    mergePatch: async (target, body, options) =>
      asObject(await patch(objectPath(definition, target), body, options)),
    async mergePatchStatus(target, body, options) {
      await patch(`${objectPath(definition, target)}/status`, body, { ...options, accept: METADATA_ONLY });
    },
    async delete(target, { preconditions, ...call } = {}) {
      const body = { apiVersion: 'v1', kind: 'DeleteOptions', preconditions };
      await client.request({ ...call, method: 'DELETE', path: objectPath(definition, target), body });
    },
    async *watch({ namespace, silenceMs, signal, ...options }) {
      const path = collectionPath(definition, namespace);
      const query = watchQuery(options);
      for await (const line of client.stream({ path, query, silenceMs, signal })) yield readEvent<T>(line);
    },
  };
  return resource;
}

function watchQuery({
  sendInitialEvents,
  ...options
}: Omit<WatchOptions, 'signal' | 'silenceMs' | 'namespace'>) {
  return {
    ...options,
    watch: true,
    allowWatchBookmarks: true,
    ...(sendInitialEvents === true && { sendInitialEvents, resourceVersionMatch: 'NotOlderThan' }),
  };
}

function readPage<T>(answer: unknown): Page<T> {
  const { metadata, items } = answer as { readonly metadata: ListMeta; readonly items: readonly T[] };
  const { resourceVersion, continue: token } = metadata;
  // A last page says so by an empty token or by none.
  return { items, resourceVersion, ...(token !== undefined && token !== '' && { continue: token }) };
}

interface ListMeta {
  readonly resourceVersion: string;
  readonly continue?: string;
}

function readEvent<T>(line: unknown): WatchEvent<T> {
  const event = line as
    | WatchEvent<T>
    | { readonly type: 'ERROR'; readonly object: { readonly code?: number } };
  if (event.type === 'ERROR') throw makeStatusError(event.object.code ?? 500, event.object);
  return event;
}
