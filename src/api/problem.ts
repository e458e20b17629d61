import { z } from 'zod';
import type { FieldProblem } from '../domain/spelled-fields.ts';

/** Every way a request can fail: its status and the title that all its occurrences share. */
export const PROBLEMS = {
  BAD_REQUEST: { status: 400, title: 'The request cannot be understood' },
  MALFORMED_JSON: { status: 400, title: 'The body is not JSON' },
  VALIDATION_FAILED: { status: 400, title: 'A field is missing or cannot be used' },
  AUTH_REQUIRED: { status: 401, title: 'Credentials are missing' },
  INVALID_API_KEY: { status: 401, title: 'The credentials are not valid' },
  INVALID_TOKEN: { status: 401, title: 'The token is not valid' },
  INSUFFICIENT_SCOPE: { status: 403, title: 'The credentials lack a scope' },
  FORGE_ACCOUNT_NOT_VERIFIED: { status: 403, title: 'Your claim of the namespace is not verified' },
  NAMESPACE_FORBIDDEN: { status: 403, title: 'The repository is not yours to use' },
  NOT_FOUND: { status: 404, title: 'There is nothing here' },
  METHOD_NOT_ALLOWED: { status: 405, title: 'The method is not supported here' },
  REQUEST_TIMEOUT: { status: 408, title: 'The request took too long to arrive' },
  IDEMPOTENCY_IN_FLIGHT: { status: 409, title: 'The same request is under way' },
  APPROVAL_DECIDED: { status: 409, title: 'The approval has been decided' },
  WEBHOOK_DISABLED: { status: 409, title: 'The webhook is disabled' },
  LEGAL_HOLD: { status: 409, title: 'What is stored is under a legal hold' },
  RUN_CONFLICT: { status: 409, title: 'The run has already ended otherwise' },
  PAYLOAD_TOO_LARGE: { status: 413, title: 'The body is too large' },
  URI_TOO_LONG: { status: 414, title: 'The address is too long' },
  UNSUPPORTED_MEDIA_TYPE: { status: 415, title: 'The body is in a format that is not accepted' },
  EXPECTATION_FAILED: { status: 417, title: 'The expectation cannot be met' },
  IDEMPOTENCY_KEY_REUSED: { status: 422, title: 'The key belongs to another request' },
  INVALID_TRANSITION: { status: 422, title: 'No step leads there' },
  RUN_NOT_FOUND: { status: 422, title: 'There is no such run' },
  RUN_REJECTED: { status: 422, title: 'The run was rejected' },
  RUN_QUARANTINED: { status: 422, title: 'The result cannot be kept as a row' },
  WEBHOOK_LIMIT_REACHED: { status: 422, title: 'There are as many webhooks as there may be' },
  RATE_LIMITED: { status: 429, title: 'There were too many requests' },
  HEADERS_TOO_LARGE: { status: 431, title: 'The headers are too large' },
  INTERNAL_ERROR: { status: 500, title: 'Something went wrong here' },
  ISSUER_UNAVAILABLE: { status: 503, title: 'The issuer of the token cannot be reached' },
  DATABASE_UNAVAILABLE: { status: 503, title: 'The database cannot be reached' },
  BACKLOG_FULL: { status: 503, title: 'Too much waits to become a row' },
  OVERLOADED: { status: 503, title: 'There is too much to do' },
  KUBERNETES_UNAVAILABLE: { status: 503, title: 'The Kubernetes API cannot be reached' },
} as const satisfies Record<string, { status: number; title: string }>;

export type ProblemCode = keyof typeof PROBLEMS;

const CODES = Object.keys(PROBLEMS) as [ProblemCode, ...ProblemCode[]];

/** The body of every error answer (RFC 9457); `error` and `message` repeat `detail` for clients that read those. */
export const problemSchema = z
  .object({
    type: z.string().describe('Names the kind of problem; the same for every occurrence of a code.'),
    title: z.string().describe('The kind of problem in words.'),
    status: z.int().describe('The HTTP status.'),
    detail: z.string().describe('What went wrong this time, and what to do about it.'),
    error: z.string().describe('The same as detail.'),
    code: z.enum(CODES).describe('For programs to branch on.'),
    message: z.string().describe('The same as detail.'),
    requestId: z.string().describe('Names this request in the logs.'),
    errors: z
      .array(z.object({ path: z.string(), message: z.string() }))
      .optional()
      .describe('What is wrong with which field.'),
  })
  .meta({ id: 'Problem' });

export type Problem = z.infer<typeof problemSchema>;

interface ProblemOptions extends ErrorOptions {
  /** What the audit notes and the client is not told. */
  readonly auditReason?: string;
  readonly errors?: readonly FieldProblem[];
  readonly headers?: Readonly<Record<string, string>>;
}

/** Thrown anywhere below a route to end the request with a problem; `detail` is shown to the client. */
export class ProblemError extends Error {
  override readonly name = 'ProblemError';
  readonly code: ProblemCode;
  readonly errors: readonly FieldProblem[] | undefined;
  readonly headers: Readonly<Record<string, string>>;
  readonly auditReason: string | undefined;

  constructor(code: ProblemCode, detail: string, options: ProblemOptions = {}) {
    super(detail, options);
    this.code = code;
    this.errors = options.errors;
    this.headers = options.headers ?? {};
    this.auditReason = options.auditReason;
  }
}

/** A 400 that names the fields, each in a sentence. */
export function fieldProblem(errors: readonly FieldProblem[], options?: ErrorOptions): ProblemError {
  const detail = errors.map(({ message }) => message).join('; ');
  return new ProblemError('VALIDATION_FAILED', detail, { ...options, errors });
}

/** The body that tells a client of a problem. */
export function makeProblem(error: ProblemError, requestId: string): Problem {
  const { status, title } = PROBLEMS[error.code];
  const detail = error.message;
  return {
    type: problemType(error.code),
    title,
    status,
    detail,
    error: detail,
    code: error.code,
    message: detail,
    requestId,
    ...(error.errors === undefined ? {} : { errors: [...error.errors] }),
  };
}

/** A tag URI (RFC 4151): it names the problem for ever and promises no page behind it. */
function problemType(code: ProblemCode): string {
  return `tag:phases.rsolv.dev,2026:problem/${code.toLowerCase().replaceAll('_', '-')}`;
}
