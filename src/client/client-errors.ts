/** The client cannot start or the call makes no sense as it stands; the message says what to change. */
export class ClientUsageError extends Error {
  override readonly name = 'ClientUsageError';
}

/** What an `application/problem+json` answer (RFC 9457) said, as far as it said anything. */
export interface Problem {
  readonly code?: string;
  readonly detail?: string;
  readonly requestId?: string;
}

/** The platform was reached and said no (4xx but 429): sending the same again would change nothing. */
export class PlatformRefusedError extends Error {
  override readonly name = 'PlatformRefusedError';
  readonly status: number;
  readonly problem: Problem;

  constructor(status: number, problem: Problem) {
    const said = [problem.code, problem.detail].filter(Boolean).join(': ');
    const request = problem.requestId ? ` (request ${problem.requestId})` : '';
    super(`The platform refused with ${status}${said ? ` ${said}` : ''}${request}`);
    this.status = status;
    this.problem = problem;
  }

  /** Whether other credentials, or a grant, could turn the refusal: the content itself was not judged. */
  get concernsCredentials(): boolean {
    return this.status === 401 || this.status === 403;
  }
}

/** No answer of the platform was had: network failure, 429, 5xx, or an answer that is not the platform's. */
export class PlatformUnreachableError extends Error {
  override readonly name = 'PlatformUnreachableError';
  /** Whether the same request may fare better soon. */
  readonly retryable: boolean;
  /** The server's `Retry-After`, in milliseconds. */
  readonly retryAfterMs: number | undefined;

  constructor(
    message: string,
    options: {
      readonly retryable: boolean;
      readonly retryAfterMs?: number | undefined;
      readonly cause?: unknown;
    },
  ) {
    super(message, { cause: options.cause });
    this.retryable = options.retryable;
    this.retryAfterMs = options.retryAfterMs;
  }
}
