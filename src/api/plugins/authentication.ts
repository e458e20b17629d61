import type { IncomingHttpHeaders } from 'node:http';
import type { FastifyBaseLogger, FastifyInstance, FastifyRequest, onRequestAsyncHookHandler } from 'fastify';
import { parseApiKey } from '../../store/api-key.ts';
import { actorOf, type Caller } from '../../store/principal.ts';
import type { AuthOutcome } from '../../telemetry/families/store.ts';
import type { Metrics } from '../../telemetry/metrics.ts';
import {
  authenticationRequired,
  invalidApiKey,
  invalidToken,
  issuerUnavailable,
} from '../credential-problems.ts';
import type { ProblemError } from '../problem.ts';
import { IssuerUnavailableError } from '../tokens/issuer-keys.ts';
import { TokenRefusedError, type TokenVerifier } from '../tokens/token-verifier.ts';

declare module 'fastify' {
  interface FastifyInstance {
    /** Hook of routes that need credentials: fills `request.caller`, or ends the request before its body is read. */
    authenticate: onRequestAsyncHookHandler;
  }
  interface FastifyRequest {
    /** Whom {@link FastifyInstance.authenticate} found; read it through {@link callerOf}. */
    caller: Caller | null;
  }
}

export interface AuthenticationDependencies {
  readonly metrics: Pick<Metrics, 'store'>;
  readonly tokens: TokenVerifier;
}

/**
 * Reads credentials: an API key from `x-api-key`, else an API key or a token (JWT) from `Authorization: Bearer`. A token is
 * verified here; a key is by the statement that serves the request, so that a revoked one ends at once.
 */
export function useAuthentication(app: FastifyInstance, deps: AuthenticationDependencies): void {
  app.decorateRequest('caller', null);
  app.decorate('authenticate', async (request) => {
    request.caller = await readCaller(request, deps);
    request.log = request.log.child({ caller: actorOf(request.caller) });
  });
}

/**
 * Who presented the credentials. A key is well-formed and no more: whether it is good, the database says.
 * @throws Error on a route that forgot `authenticate`
 */
export function callerOf({ caller }: Pick<FastifyRequest, 'caller'>): Caller {
  if (caller === null) throw new Error('this route does not authenticate');
  return caller;
}

async function readCaller(
  { headers, log }: FastifyRequest,
  { metrics, tokens }: AuthenticationDependencies,
): Promise<Caller> {
  const refused = (outcome: AuthOutcome, problem: ProblemError) => {
    metrics.store.authentication.inc({ outcome });
    return problem;
  };
  const presented = presentedBy(headers);
  if (presented === undefined) throw refused('missing', authenticationRequired());
  if (presented.kind === 'key') {
    const credentials = parseApiKey(presented.text);
    if (credentials === undefined) throw refused('invalid', invalidApiKey('malformed'));
    return credentials;
  }
  try {
    return await tokens.verify(presented.text);
  } catch (error) {
    throw refused(...judge(error, log));
  }
}

function presentedBy(
  headers: IncomingHttpHeaders,
): { readonly kind: 'key' | 'token'; readonly text: string } | undefined {
  const key = headers['x-api-key'];
  if (typeof key === 'string' && key.trim() !== '') return { kind: 'key', text: key.trim() };
  const [, bearer] = /^Bearer +(\S+) *$/i.exec(headers.authorization ?? '') ?? [];
  if (bearer === undefined) return undefined;
  // A key has no dot, and a token has at least two.
  return { kind: bearer.includes('.') ? 'token' : 'key', text: bearer };
}

/** What the operator has to mend, the log says; of the token itself nothing is said but what it claims to be. */
function judge(error: unknown, log: FastifyBaseLogger): [AuthOutcome, ProblemError] {
  if (error instanceof IssuerUnavailableError) {
    log.warn({ issuer: error.issuer, err: error }, 'the keys of a token issuer cannot be reached');
    return ['unavailable', issuerUnavailable()];
  }
  if (!(error instanceof TokenRefusedError)) throw error;
  log.info({ reason: error.reason, ...error.details }, 'token refused');
  return ['invalid', invalidToken(error.reason)];
}
