import { PlatformRefusedError, PlatformUnreachableError } from '../client/client-errors.ts';
import { isJsonObject, type JsonObject } from '../client/phase-result.ts';
import { exchange, parseJson, readProblem } from '../client/platform.ts';
import { parseRetryAfter, Retrying } from '../client/retry.ts';

export interface MeshSettings {
  /** Address of the API. */
  readonly controllerUrl: string;
  /** Longest wait for one answer, in milliseconds. */
  readonly timeoutMs: number;
  /** How often a request that may pass is sent again. */
  readonly retries: number;
}

const BACKOFF = { baseMs: 500, capMs: 10_000 };

/**
 * The HTTP API, as the tools ask it. Requests are sent again after 429, 5xx and network failures, never after another
 * 4xx. Methods throw `PlatformRefusedError` when the API says no, and `PlatformUnreachableError` when it said nothing.
 */
export class MeshApi {
  readonly #settings: MeshSettings;
  readonly #token: string | undefined;

  /** @param token API key or JWT; undefined sends none */
  constructor(settings: MeshSettings, token: string | undefined) {
    this.#settings = settings;
    this.#token = token;
  }

  get(path: string): Promise<JsonObject> {
    return this.#ask(path, {});
  }

  /** Sends the same key with every attempt, so that it is done once. */
  post(path: string, body: JsonObject, idempotencyKey: string): Promise<JsonObject> {
    return this.#ask(path, {
      method: 'POST',
      headers: { 'content-type': 'application/json', 'idempotency-key': idempotencyKey },
      body: JSON.stringify(body),
    });
  }

  #ask(path: string, init: Sent): Promise<JsonObject> {
    const { retries, timeoutMs } = this.#settings;
    const attempts = retries + 1;
    const totalMs = attempts * (timeoutMs + BACKOFF.capMs);
    return new Retrying({ ...BACKOFF, attempts, totalMs }).run(() => this.#askOnce(path, init));
  }

  async #askOnce(path: string, init: Sent): Promise<JsonObject> {
    const { controllerUrl, timeoutMs } = this.#settings;
    const url = new URL(path, controllerUrl.endsWith('/') ? controllerUrl : `${controllerUrl}/`);
    const authorization = this.#token === undefined ? {} : { authorization: `Bearer ${this.#token}` };
    const headers = { accept: 'application/json', ...init.headers, ...authorization };
    const { response, text } = await exchange(url, { ...init, headers }, timeoutMs);
    const body = parseJson(text);
    if (response.ok && isJsonObject(body)) return body;
    throw failureOf(url, response, body);
  }
}

interface Sent {
  readonly method?: 'POST';
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
}

function failureOf(url: URL, response: Response, body: unknown): Error {
  const { status } = response;
  if (status === 429 || status >= 500) {
    const { detail } = readProblem(body);
    const retryAfterMs = parseRetryAfter(response.headers.get('retry-after'));
    const message = `${url.origin} answered ${status}${detail ? `: ${detail}` : ''}`;
    return new PlatformUnreachableError(message, { retryable: true, retryAfterMs });
  }
  if (status >= 400) return new PlatformRefusedError(status, readProblem(body));
  const message = `${url.origin}${url.pathname} answered ${status} without a JSON object`;
  return new PlatformUnreachableError(message, { retryable: false });
}
