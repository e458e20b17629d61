/** Why no answer came; these stand in `reason` where `status` is 0. */
export type NoAnswer = 'Unconfigured' | 'Unreachable' | 'Timeout';

/** One cause of a `metav1.Status`, such as the field that a validation refused. */
export interface StatusCause {
  readonly reason?: string;
  readonly message?: string;
  /** JSON path of the field. */
  readonly field?: string;
}

/** `details` of a `metav1.Status`. */
export interface StatusDetails {
  readonly name?: string;
  readonly group?: string;
  readonly kind?: string;
  readonly uid?: string;
  readonly causes: readonly StatusCause[];
}

interface KubeErrorFields {
  readonly status: number;
  readonly reason: string;
  readonly message: string;
  readonly details?: StatusDetails | undefined;
  readonly retryAfterSeconds?: number | undefined;
  readonly cause?: unknown;
}

/**
 * A call to the Kubernetes API that did not succeed. `status` is the HTTP status, or 0 when no answer came; `reason` is
 * the reason of the `metav1.Status`, or a {@link NoAnswer}. Decide on these two, never on the message: `retry.ts`.
 */
export class KubeError extends Error {
  override readonly name = 'KubeError';
  readonly status: number;
  readonly reason: string;
  readonly details: StatusDetails | undefined;
  /** What the server asked for; absent when it did not ask. */
  readonly retryAfterSeconds: number | undefined;

  constructor({ status, reason, message, details, retryAfterSeconds, cause }: KubeErrorFields) {
    super(message, { cause });
    this.status = status;
    this.reason = reason;
    this.details = details;
    this.retryAfterSeconds = retryAfterSeconds;
  }
}

/** Whether `error` is a KubeError with this HTTP status. */
export function hasStatus(error: unknown, status: number): error is KubeError {
  return error instanceof KubeError && error.status === status;
}

/**
 * For the `catch` of a call about an object that may be gone.
 * @throws every error but a 404
 */
export function undefinedIfGone(error: unknown): undefined {
  if (hasStatus(error, 404)) return undefined;
  throw error;
}

/** What kube-apiserver means when a proxy or an aggregated server answers without a `metav1.Status`. */
const REASONS: Readonly<Record<number, string>> = {
  400: 'BadRequest',
  401: 'Unauthorized',
  403: 'Forbidden',
  404: 'NotFound',
  409: 'Conflict',
  410: 'Expired',
  422: 'Invalid',
  429: 'TooManyRequests',
  500: 'InternalError',
  503: 'ServiceUnavailable',
  504: 'Timeout',
};

/** Makes the error of an answer: its HTTP status, and its body, which mostly is a `metav1.Status`. */
export function makeStatusError(status: number, body: unknown, retryAfter?: string): KubeError {
  const fields = isRecord(body) ? body : {};
  const details = isRecord(fields['details']) ? fields['details'] : undefined;
  return new KubeError({
    status,
    reason: text(fields['reason']) ?? REASONS[status] ?? 'Unknown',
    message: text(fields['message']) ?? `the Kubernetes API answered ${status}`,
    details: details && readDetails(details),
    retryAfterSeconds: retryAfterSeconds(retryAfter) ?? count(details?.['retryAfterSeconds']),
  });
}

function readDetails(details: Record<string, unknown>): StatusDetails {
  const causes = Array.isArray(details['causes']) ? details['causes'] : [];
  return {
    ...pickText(details, ['name', 'group', 'kind', 'uid']),
    causes: causes.filter(isRecord).map((cause) => pickText(cause, ['reason', 'message', 'field'])),
  };
}

/** RFC 9110 10.2.3: seconds, or a date. */
function retryAfterSeconds(header: string | undefined): number | undefined {
  if (header === undefined) return undefined;
  if (/^\d+$/.test(header)) return Number(header);
  const date = Date.parse(header);
  return Number.isNaN(date) ? undefined : Math.max(0, Math.ceil((date - Date.now()) / 1000));
}

function pickText<K extends string>(
  from: Record<string, unknown>,
  keys: readonly K[],
): Partial<Record<K, string>> {
  const picked: Partial<Record<K, string>> = {};
  for (const key of keys) {
    const value = text(from[key]);
    if (value !== undefined) picked[key] = value;
  }
  return picked;
}

function text(value: unknown): string | undefined {
  return typeof value === 'string' && value !== '' ? value : undefined;
}

/** A Status writes 0 for "not asked". */
function count(value: unknown): number | undefined {
  return typeof value === 'number' && value > 0 ? value : undefined;
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
