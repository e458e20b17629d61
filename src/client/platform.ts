import {
  ClientUsageError,
  PlatformRefusedError,
  PlatformUnreachableError,
  type Problem,
} from './client-errors.ts';
import { isJsonObject, type JsonObject, type PhaseResult, toRequestBody } from './phase-result.ts';
import { parseRetryAfter } from './retry.ts';

/** Headers that say who asks; called once a request, so that short-lived tokens are fresh. */
export type Credentials = () => Promise<Readonly<Record<string, string>>>;

/** What the platform said of a stored result. */
export interface Acknowledgement {
  /** Id of the execution row. */
  readonly id: string;
  /** False (202): durable, but not yet a row. */
  readonly persisted: boolean;
  /** The object that carries it: `kubectl describe phr <name> -n <namespace>`. */
  readonly phaseRun?: { readonly namespace: string; readonly name: string };
  readonly sessionId?: string;
  readonly sessionState?: string;
}

/** What retrieve asks for. */
export interface RetrieveQuery {
  readonly repo: string;
  /** Without one only the scan is asked for. */
  readonly issueNumber?: number | undefined;
  readonly commitSha: string;
  readonly forge?: 'github' | 'gitlab' | undefined;
}

/**
 * The API on the wire; one call is one request. Every method throws `PlatformRefusedError` when the platform says no
 * and `PlatformUnreachableError` when it cannot be known to have answered.
 */
export class Platform {
  readonly #baseUrl: URL;
  readonly #credentials: Credentials;
  readonly #timeoutMs: number;

  constructor(baseUrl: URL, credentials: Credentials, timeoutMs: number) {
    this.#baseUrl = baseUrl;
    this.#credentials = credentials;
    this.#timeoutMs = timeoutMs;
  }

  /** Stores what its caller has just stored: it is the newest. */
  store(result: PhaseResult): Promise<Acknowledgement> {
    return this.#store(result, {});
  }

  /** Stores what lay on disk: it says since when, and becomes history where newer results have arrived meanwhile. */
  storeLate(result: PhaseResult): Promise<Acknowledgement> {
    const storedAt = new Date(result.timestamp);
    // A file of another hand may hold anything; without a time the result is the newest.
    const isTime = !Number.isNaN(storedAt.getTime());
    return this.#store(result, isTime ? { 'x-phase-stored-at': storedAt.toISOString() } : {});
  }

  async #store(result: PhaseResult, headers: Readonly<Record<string, string>>): Promise<Acknowledgement> {
    const answer = await this.#ask('phases/store', {
      method: 'POST',
      headers: { 'content-type': 'application/json', 'idempotency-key': result.idempotencyKey, ...headers },
      body: toRequestBody(result),
    });
    return readAcknowledgement(answer);
  }

  async retrieve({ repo, issueNumber, commitSha, forge }: RetrieveQuery): Promise<JsonObject> {
    const query = new URLSearchParams({ repo, commit: commitSha });
    if (issueNumber !== undefined) query.set('issue', String(issueNumber));
    if (forge !== undefined) query.set('forge', forge);
    const answer = await this.#ask(`phases/retrieve?${query.toString()}`, {});
    return answer.body;
  }

  async #ask(path: string, init: Sent): Promise<Answer> {
    const url = new URL(`api/v1/${path}`, this.#baseUrl);
    const headers = { accept: 'application/json', ...init.headers, ...(await this.#credentials()) };
    const { response, text } = await exchange(url, { ...init, headers }, this.#timeoutMs);
    const body = parseJson(text);
    if (!response.ok) throw failureOf(url, response, body);
    if (!isJsonObject(body)) {
      throw notThePlatform(url, `answered ${response.status} without a JSON object`);
    }
    return { url, status: response.status, body };
  }
}

interface Sent {
  readonly method?: 'POST';
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
}

interface Answer {
  readonly url: URL;
  readonly status: number;
  readonly body: JsonObject;
}

/**
 * Sends one request and reads its answer whole. Redirects are not followed: they would turn a POST into a GET, and
 * carry credentials to another host.
 * @throws {PlatformUnreachableError} for whatever went wrong on the way; {ClientUsageError} for what cannot be sent.
 */
export async function exchange(
  url: URL,
  init: RequestInit,
  timeoutMs: number,
): Promise<{ readonly response: Response; readonly text: string }> {
  refuseUnsendable(url, init);
  try {
    const signal = AbortSignal.timeout(timeoutMs);
    const response = await fetch(url, { ...init, redirect: 'manual', signal });
    return { response, text: await response.text() };
  } catch (cause) {
    const message = `${url.origin} cannot be reached: ${describeNetworkFailure(cause, timeoutMs)}`;
    throw new PlatformUnreachableError(message, { retryable: true, cause });
  }
}

/** Says it before fetch() does, whose errors repeat the header or the address, and so the secret in it. */
function refuseUnsendable(url: URL, { headers }: RequestInit): void {
  if (url.username !== '' || url.password !== '') {
    throw new ClientUsageError(`The address of ${url.host} must hold no user name and no password`);
  }
  try {
    void new Headers(headers);
  } catch {
    throw new ClientUsageError(
      `The request to ${url.host} cannot be sent: a header, such as the credentials, holds characters that none may`,
    );
  }
}

function describeNetworkFailure(failure: unknown, timeoutMs: number): string {
  if (!(failure instanceof Error)) return String(failure);
  if (failure.name === 'TimeoutError') return `no answer within ${timeoutMs} ms`;
  const { cause } = failure;
  if (!(cause instanceof Error)) return failure.message;
  const code = 'code' in cause && typeof cause.code === 'string' ? cause.code : '';
  return cause.message || code || failure.message;
}

/**
 * 429 and 5xx may pass, and so may 409 with Retry-After, which says that an earlier attempt with the same key is still
 * in progress (Idempotency-Key draft). Redirects are another server's or a wrong address. The rest are refusals.
 */
function failureOf(url: URL, response: Response, body: unknown): Error {
  const { status } = response;
  const retryAfterMs = parseRetryAfter(response.headers.get('retry-after'));
  const inProgress = status === 409 && retryAfterMs !== undefined;
  if (status === 429 || status >= 500 || inProgress) {
    const { detail } = readProblem(body);
    const message = `${url.origin} answered ${status}${detail ? `: ${detail}` : ''}`;
    return new PlatformUnreachableError(message, { retryable: true, retryAfterMs });
  }
  if (status < 400) {
    const location = response.headers.get('location');
    return notThePlatform(url, `answered ${status}${location ? `, a redirect to ${location}` : ''}`);
  }
  return new PlatformRefusedError(status, readProblem(body));
}

/** A login page, a proxy, a wrong address: taking such an answer for an acknowledgement would lose the result. */
function notThePlatform(url: URL, what: string): PlatformUnreachableError {
  const message = `${url.origin}${url.pathname} ${what}; is RSOLV_API_URL the address of the API?`;
  return new PlatformUnreachableError(message, { retryable: false });
}

function readAcknowledgement({ url, status, body }: Answer): Acknowledgement {
  const { success, id, phaseRun, sessionId, sessionState } = body;
  if (success !== true || typeof id !== 'string' || id === '') {
    throw notThePlatform(url, `answered ${status} without an id`);
  }
  return {
    id,
    persisted: status !== 202,
    ...(isObjectName(phaseRun) ? { phaseRun } : {}),
    ...(typeof sessionId === 'string' ? { sessionId } : {}),
    ...(typeof sessionState === 'string' ? { sessionState } : {}),
  };
}

function isObjectName(value: unknown): value is { readonly namespace: string; readonly name: string } {
  return isJsonObject(value) && typeof value['namespace'] === 'string' && typeof value['name'] === 'string';
}

/** What an error answer says, whichever members it says it in. */
export function readProblem(body: unknown): Problem {
  if (!isJsonObject(body)) return {};
  const detail = [body['detail'], body['message'], body['error'], body['title']].find(isText);
  const errors = Array.isArray(body['errors']) ? body['errors'].filter(isJsonObject) : [];
  const fields = errors.map(({ path, message }) => `${String(path)}: ${String(message)}`).join('; ');
  return {
    ...(isText(body['code']) ? { code: body['code'] } : {}),
    ...(detail ? { detail: fields && !detail.includes(fields) ? `${detail} (${fields})` : detail } : {}),
    ...(isText(body['requestId']) ? { requestId: body['requestId'] } : {}),
  };
}

function isText(value: unknown): value is string {
  return typeof value === 'string' && value !== '';
}

/** The value of a JSON text; undefined for any other text. */
export function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
