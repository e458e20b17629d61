import type { Scope } from '../store/principal.ts';
import { type ProblemCode, ProblemError } from './problem.ts';

/** What any route that authenticates may answer. */
export const CREDENTIAL_PROBLEMS = [
  'AUTH_REQUIRED',
  'INVALID_API_KEY',
  'INVALID_TOKEN',
  'INSUFFICIENT_SCOPE',
  'ISSUER_UNAVAILABLE',
] as const satisfies readonly ProblemCode[];

/** Seconds until the keys of an issuer are asked for again. */
const RETRY_AFTER_SECONDS = 5;

export function authenticationRequired(): ProblemError {
  return challenge(
    'AUTH_REQUIRED',
    'Send an API key as x-api-key, or an API key or a token as Authorization: Bearer',
  );
}

/** One answer for a key that is malformed, unknown, expired or revoked: which it is, only its owner may know. */
export function invalidApiKey(auditReason: string): ProblemError {
  const parameters = { error: 'invalid_token' };
  return challenge('INVALID_API_KEY', 'The API key is not valid, or no longer', parameters, auditReason);
}

/** One answer for whatever is wrong with a token; log and audit say what. */
export function invalidToken(auditReason: string): ProblemError {
  const parameters = { error: 'invalid_token' };
  return challenge('INVALID_TOKEN', 'The token is not valid here, or no longer', parameters, auditReason);
}

export function insufficientScope(scope: Scope): ProblemError {
  return challenge('INSUFFICIENT_SCOPE', `The credentials lack the scope ${scope}`, {
    error: 'insufficient_scope',
    scope,
  });
}

/** Whether a token is good cannot be told now; a 401 would make its holder throw it away. */
export function issuerUnavailable(): ProblemError {
  return new ProblemError(
    'ISSUER_UNAVAILABLE',
    'The keys of the issuer of this token cannot be reached; try again later',
    { headers: { 'retry-after': String(RETRY_AFTER_SECONDS) } },
  );
}

/** https://www.rfc-editor.org/rfc/rfc6750#section-3: without credentials the challenge names no error. */
function challenge(
  code: ProblemCode,
  detail: string,
  parameters: Readonly<Record<string, string>> = {},
  auditReason?: string,
): ProblemError {
  const pairs = Object.entries({ realm: 'phaserun', ...parameters }).map(
    ([name, value]) => `${name}="${value}"`,
  );
  const headers = { 'www-authenticate': `Bearer ${pairs.join(', ')}` };
  return new ProblemError(code, detail, { headers, ...(auditReason !== undefined && { auditReason }) });
}
