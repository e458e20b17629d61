import type { Logger } from 'pino';
import { type Exchange, exchange } from './exchange.ts';
import { KubeError, makeStatusError } from './kube-error.ts';
import type { KubeObject } from './kube-object.ts';
import type { KubeSource } from './kube-source.ts';
import { createKubeResource, type KubeResource, type ResourceDefinition } from './resource.ts';
import { splitLines } from './split-lines.ts';
import { createTransport } from './transport.ts';

/** How long a call may take unless it says otherwise. */
const DEFAULT_TIMEOUT_MS = 30_000;

export type KubeVerb = 'get' | 'list' | 'watch' | 'create' | 'update' | 'patch' | 'delete';

/** Counts what is asked of the API server. */
export interface KubeClientObserver {
  /** `code` is the HTTP status, or `error` when no answer came; `seconds` until the answer began. */
  onRequest(verb: KubeVerb, code: string, seconds: number): void;
}

export interface KubeRequest {
  readonly method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';
  /** For the metrics; default: what the method mostly means. */
  readonly verb?: KubeVerb;
  /** Absolute, such as `/api/v1/namespaces/default`. */
  readonly path: string;
  /** Members that are undefined are left out. */
  readonly query?: Readonly<Record<string, string | number | boolean | undefined>>;
  /** Sent as JSON. */
  readonly body?: unknown;
  /** Default `application/json`. */
  readonly contentType?: string;
  /** The form of the answer, JSON in any case. Default the object as it is. */
  readonly accept?: string;
  readonly signal?: AbortSignal | undefined;
  /** Default 30 s. */
  readonly timeoutMs?: number | undefined;
}

export interface KubeStreamRequest {
  readonly path: string;
  readonly query?: Exclude<KubeRequest['query'], undefined>;
  readonly signal: AbortSignal;
  /** The stream fails with reason `Timeout` when nothing at all arrives for so long. */
  readonly silenceMs: number;
}

/**
 * Calls to one Kubernetes API server. Making one touches nothing: credentials are read at the first call, and again when
 * their files change, so that a process can start before they are there. Nothing is retried here: see `retry.ts`.
 */
export interface KubeClient {
  /**
   * The parsed JSON of the answer.
   * @throws KubeError for every answer but a 2xx, and when none came (status 0)
   * @throws the signal's reason when it aborts
   */
  request(request: KubeRequest): Promise<unknown>;
  /** The parsed lines of a watch, until the server ends it; throws as {@link request} does, at any time. */
  stream(request: KubeStreamRequest): AsyncGenerator<unknown, void, undefined>;
  /** Typed calls for one kind of object. */
  resource<T extends KubeObject>(definition: ResourceDefinition): KubeResource<T>;
  /** Undefined when the server answers, else why it does not, in words that can be shown. Never throws. */
  probe(options?: { readonly timeoutMs?: number }): Promise<KubeError | undefined>;
  /** Cuts what still runs and closes the connections. */
  close(): Promise<void>;
}

export interface KubeClientOptions {
  readonly logger: Logger;
  readonly observer?: KubeClientObserver;
  /** Sent as User-Agent, which the server's audit log shows. Default `phaserun`. */
  readonly userAgent?: string;
}

/** Makes a client; {@link KubeClient.close} ends it. */
export function createKubeClient(source: KubeSource, options: KubeClientOptions): KubeClient {
  const { logger, observer, userAgent = 'phaserun' } = options;
  const transport = createTransport(source, logger);

  /** Sends, counts, and turns every answer but a 2xx into a KubeError. */
  async function send(call: Exchange, verb: KubeVerb) {
    const startedAt = performance.now();
    const count = (code: string) => observer?.onRequest(verb, code, (performance.now() - startedAt) / 1000);
    try {
      const answer = await exchange(await transport.link(), call, userAgent);
      count(String(answer.status));
      if (answer.status < 300) return answer;
      if (answer.status === 401) transport.refuse();
      throw makeStatusError(answer.status, parseJson(await answer.text()), answer.retryAfter);
    } catch (error) {
      if (error instanceof KubeError && error.status === 0) count('error');
      throw error;
    }
  }

  const client: KubeClient = {
    async request(request) {
      const { method, verb = defaultVerb(method), timeoutMs = DEFAULT_TIMEOUT_MS } = request;
      const answer = await send({ ...request, headersTimeoutMs: timeoutMs, bodyTimeoutMs: timeoutMs }, verb);
      const body = await answer.text();
      const parsed = parseJson(body);
      if (parsed === undefined) throw notJson(answer.status);
      return parsed;
    },
    async *stream(request) {
      const { silenceMs } = request;
      const call = {
        ...request,
        method: 'GET',
        headersTimeoutMs: silenceMs,
        bodyTimeoutMs: silenceMs,
      } as const;
      const answer = await send(call, 'watch');
      for await (const line of splitLines(answer.chunks())) {
        // Lines that had arrived before do not count any more.
        request.signal.throwIfAborted();
        const parsed = parseJson(line);
        if (parsed === undefined) throw notJson(answer.status);
        yield parsed;
      }
    },
    resource: <T extends KubeObject>(definition: ResourceDefinition) =>
      createKubeResource<T>(client, definition),
    async probe({ timeoutMs = 2000 } = {}) {
      try {
        await client.request({ method: 'GET', path: '/version', timeoutMs });
        return undefined;
      } catch (error) {
        if (error instanceof KubeError) return error;
        throw error;
      }
    },
    close: () => transport.close(),
  };
  return client;
}

function defaultVerb(method: KubeRequest['method']): KubeVerb {
  const verbs = { GET: 'get', POST: 'create', PUT: 'update', PATCH: 'patch', DELETE: 'delete' } as const;
  return verbs[method];
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function notJson(status: number): KubeError {
  return new KubeError({
    status,
    reason: 'Unknown',
    message: 'the Kubernetes API answered something other than JSON',
  });
}
