import { traceHeaders, writeHeaders } from './agent-headers.ts';
import { CREDENTIAL_PROBLEMS } from './credential-problems.ts';
import { IDEMPOTENCY_PROBLEMS } from './idempotent.ts';
import { type ProblemCode, ProblemError } from './problem.ts';
import { problemResponses } from './problem-responses.ts';

/** What the callers of these routes need. */
export const AGENT_SCOPE = 'sessions';

/** What every route of the agents' API has in its schema. */
export const AGENT_SCHEMA = {
  tags: ['agents'],
  security: [{ apiKey: [] }, { bearer: [] }],
  headers: traceHeaders,
};

/** What those have that write. */
export const AGENT_WRITE_SCHEMA = { ...AGENT_SCHEMA, headers: writeHeaders };

/** What a route that reads may answer when it fails. */
export function readProblems(...codes: ProblemCode[]) {
  return problemResponses('VALIDATION_FAILED', ...CREDENTIAL_PROBLEMS, 'DATABASE_UNAVAILABLE', ...codes);
}

/** What a route that writes may answer when it fails. */
export function writeProblems(...codes: ProblemCode[]) {
  return problemResponses(
    'MALFORMED_JSON',
    ...CREDENTIAL_PROBLEMS,
    ...IDEMPOTENCY_PROBLEMS,
    'PAYLOAD_TOO_LARGE',
    'UNSUPPORTED_MEDIA_TYPE',
    ...codes,
  );
}

/** What was asked for, or a 404 that is the same for what does not exist and for what is another customer's. */
export function found<T>(
  value: T | null,
  kind: 'approval' | 'delivery' | 'profile' | 'session' | 'task' | 'webhook',
): T {
  if (value !== null) return value;
  throw new ProblemError('NOT_FOUND', `There is no such ${kind}`);
}
