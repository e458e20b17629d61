import type { IncomingHttpHeaders } from 'node:http';
import type { FastifyInstance, FastifyRequest, onRequestHookHandler } from 'fastify';
import { type ApiKeyCredentials, parseApiKey } from '../../store/api-key.ts';
import type { Metrics } from '../../telemetry/metrics.ts';
import { type ProblemCode, ProblemError } from '../problem.ts';

declare module 'fastify' {
  interface FastifyInstance {
    /** Hook of routes that need an API key: fills `request.credentials`, or ends the request before its body is read. */
    requireApiKey: onRequestHookHandler;
  }
  interface FastifyRequest {
    /** What {@link FastifyInstance.requireApiKey} found; read it through {@link credentialsOf}. */
    credentials: ApiKeyCredentials | null;
  }
}

/** Reads API keys from `x-api-key`, else from `Authorization: Bearer`. */
export function useApiKeys(app: FastifyInstance, { store }: Pick<Metrics, 'store'>): void {
  app.decorateRequest('credentials', null);
  app.decorate('requireApiKey', (request, _reply, done) => {
    const credentials = readCredentials(request.headers);
    if (credentials instanceof ProblemError) {
      store.authentication.inc({ outcome: credentials.code === 'AUTH_REQUIRED' ? 'missing' : 'invalid' });
      return done(credentials);
    }
    request.credentials = credentials;
    done();
  });
}

/**
 * What the caller presented, well-formed; whether it is a valid key, the database says.
 * @throws Error on a route that forgot `requireApiKey`
 */
export function credentialsOf({ credentials }: Pick<FastifyRequest, 'credentials'>): ApiKeyCredentials {
  if (credentials === null) throw new Error('this route does not require an API key');
  return credentials;
}

const JWT = /^[\w-]+\.[\w-]+\.[\w-]*$/;

function readCredentials(headers: IncomingHttpHeaders): ApiKeyCredentials | ProblemError {
  const presented = presentedKey(headers);
  if (presented === undefined) {
    return unauthorized('AUTH_REQUIRED', 'Send an API key as x-api-key or as Authorization: Bearer');
  }
  const credentials = parseApiKey(presented);
  if (credentials !== undefined) return credentials;
  if (JWT.test(presented)) {
    return unauthorized('INVALID_API_KEY', 'Tokens (JWT) are not accepted here; send an API key');
  }
  return invalidApiKey();
}

function presentedKey(headers: IncomingHttpHeaders): string | undefined {
  const key = headers['x-api-key'];
  if (typeof key === 'string' && key.trim() !== '') return key.trim();
  const [, token] = /^Bearer +(\S+) *$/i.exec(headers.authorization ?? '') ?? [];
  return token;
}

/** One answer for a key that is malformed, unknown, expired or revoked: which it is, only its owner may know. */
export function invalidApiKey(): ProblemError {
  return unauthorized('INVALID_API_KEY', 'The API key is not valid, or no longer');
}

function unauthorized(code: ProblemCode, detail: string): ProblemError {
  return new ProblemError(code, detail, { headers: { 'www-authenticate': 'Bearer realm="phaserun"' } });
}
