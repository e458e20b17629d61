import { type Dispatcher, errors } from 'undici';
import type { KubeRequest } from './client.ts';
import { KubeError } from './kube-error.ts';
import type { Link } from './transport.ts';

/**
 * undici times each stream, and probes the connection when one times out, so that a dead connection is replaced. Time
 * spent waiting for a connection is not counted there: this much later a request is given up in any case.
 */
const GRACE_MS = 250;

const JSON_TYPE = 'application/json';

/** One request and its limits: until the headers, and between two pieces of the body. */
export interface Exchange extends Omit<KubeRequest, 'verb' | 'timeoutMs'> {
  readonly headersTimeoutMs: number;
  readonly bodyTimeoutMs: number;
}

export interface Answer {
  readonly status: number;
  readonly retryAfter: string | undefined;
  /** The whole body. */
  text(): Promise<string>;
  /** The body as it arrives. */
  chunks(): AsyncGenerator<Uint8Array, void, undefined>;
}

/**
 * Sends one request and waits for the head of the answer, whatever its status.
 * @throws KubeError status 0, reason `Timeout` or `Unreachable`; here, and while the body is read
 * @throws the signal's reason when it aborts
 */
export async function exchange(link: Link, call: Exchange, userAgent: string): Promise<Answer> {
  const failed = (error: unknown): unknown => {
    if (call.signal?.aborted === true) return call.signal.reason;
    link.lost();
    return noAnswer(error, link.server);
  };
  const response = await dispatch(link, call, userAgent).catch((error: unknown) => {
    throw failed(error);
  });
  return {
    status: response.statusCode,
    retryAfter: header(response.headers['retry-after']),
    text: () =>
      response.body.text().catch((error: unknown) => {
        throw failed(error);
      }),
    async *chunks() {
      try {
        yield* response.body;
      } catch (error) {
        throw failed(error);
      }
    },
  };
}

async function dispatch(link: Link, call: Exchange, userAgent: string): Promise<Dispatcher.ResponseData> {
  const { method, path, query = {}, body, contentType = JSON_TYPE, accept = JSON_TYPE, signal } = call;
  const { origin, pathname } = new URL(link.server);
  const prefix = pathname === '/' ? '' : pathname;
  const deadline = new AbortController();
  const timer = setTimeout(() => deadline.abort(new Deadline()), call.headersTimeoutMs + GRACE_MS);
  try {
    return await link.dispatcher.request({
      origin,
      path: prefix + path + queryString(query),
      method,
      headers: {
        ...link.headers,
        accept,
        'user-agent': userAgent,
        ...(body !== undefined && { 'content-type': contentType }),
      },
      body: body === undefined ? null : JSON.stringify(body),
      signal: signal === undefined ? deadline.signal : AbortSignal.any([signal, deadline.signal]),
      headersTimeout: call.headersTimeoutMs,
      bodyTimeout: call.bodyTimeoutMs,
    });
  } finally {
    clearTimeout(timer);
  }
}

/** The answer had not begun when its time was up. */
class Deadline extends Error {}

function noAnswer(error: unknown, server: string): KubeError {
  const late =
    error instanceof Deadline ||
    error instanceof errors.HeadersTimeoutError ||
    error instanceof errors.BodyTimeoutError;
  return new KubeError({
    status: 0,
    reason: late ? 'Timeout' : 'Unreachable',
    message: late
      ? `the Kubernetes API at ${server} did not answer in time`
      : `the Kubernetes API at ${server} cannot be reached: ${describe(error)}`,
    cause: error,
  });
}

/** An AggregateError, which is what a refused connection to a name with two addresses gives, has no message of its own. */
function describe(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  if (error.message !== '') return error.message;
  return 'code' in error ? String(error.code) : error.name;
}

function queryString(query: NonNullable<KubeRequest['query']>): string {
  const parameters = new URLSearchParams();
  for (const [name, value] of Object.entries(query)) {
    if (value !== undefined) parameters.set(name, String(value));
  }
  return parameters.size === 0 ? '' : `?${parameters.toString()}`;
}

function header(value: string | string[] | undefined): string | undefined {
  return Array.isArray(value) ? value[0] : value;
}
