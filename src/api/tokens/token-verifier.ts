import { decodeJwt, decodeProtectedHeader, errors, type JWTVerifyGetKey, jwtVerify } from 'jose';
import type { Caller } from '../../store/principal.ts';
import { type Claims, callerOfClaims } from './caller-of-claims.ts';
import { createIssuerKeys, IssuerUnavailableError } from './issuer-keys.ts';
import type { TokenIssuer } from './token-issuer.ts';

/** Why a token is refused, for the log; `details` holds what was expected, and never the token. */
export class TokenRefusedError extends Error {
  override readonly name = 'TokenRefusedError';
  readonly reason: string;
  readonly details: Readonly<Record<string, unknown>>;

  constructor(reason: string, details: Readonly<Record<string, unknown>> = {}, options?: ErrorOptions) {
    super(`token refused: ${reason}`, options);
    this.reason = reason;
    this.details = details;
  }
}

export interface TokenVerifier {
  /**
   * Whom a token (JWT) speaks for.
   * @throws TokenRefusedError, or IssuerUnavailableError when it cannot be told now
   */
  verify(token: string): Promise<Caller>;
}

/** Signatures with a private key alone: a shared secret would let whoever can check tokens make them. */
const ALGORITHMS = ['RS256', 'RS384', 'RS512', 'ES256', 'ES384', 'ES512', 'EdDSA', 'Ed25519'];

/** How far the clocks of issuers may be off. */
const CLOCK_TOLERANCE_SECONDS = 60;

/** Longer than any real token, which has to fit among the headers of a request. */
const TOKEN_LIMIT = 8_192;

/** Of what a stranger wrote, no more than this gets into the log. */
const LOGGED_LIMIT = 200;

/** Verifies tokens of these issuers and refuses all others. */
export function createTokenVerifier(issuers: readonly TokenIssuer[]): TokenVerifier {
  const trusted = new Map(
    issuers.map((issuer) => [issuer.issuer, { issuer, keys: createIssuerKeys(issuer) }]),
  );
  return {
    async verify(token) {
      const { iss, kid } = readUnverified(token);
      const found = typeof iss === 'string' ? trusted.get(iss) : undefined;
      if (found === undefined)
        throw new TokenRefusedError('issuer', { expected: [...trusted.keys()], found: forLog(iss) });
      const { issuer, keys } = found;
      if (kid === undefined) throw new TokenRefusedError('no_key_id', { issuer: issuer.issuer });
      const claims = await verifySigned(token, issuer, keys);
      const claimed = callerOfClaims(issuer, claims);
      if (claimed.ok) return claimed.caller;
      throw new TokenRefusedError('claim', { issuer: issuer.issuer, claim: claimed.claim });
    },
  };
}

/** What says where to look for the key; believed no further. */
function readUnverified(token: string): { readonly iss: unknown; readonly kid: string | undefined } {
  if (token.length > TOKEN_LIMIT) throw new TokenRefusedError('too_long');
  try {
    return { iss: decodeJwt(token).iss, kid: decodeProtectedHeader(token).kid };
  } catch (cause) {
    throw new TokenRefusedError('malformed', {}, { cause });
  }
}

async function verifySigned(token: string, issuer: TokenIssuer, keys: JWTVerifyGetKey): Promise<Claims> {
  try {
    const { payload } = await jwtVerify(token, keys, {
      issuer: issuer.issuer,
      audience: issuer.audience,
      algorithms: ALGORITHMS,
      clockTolerance: CLOCK_TOLERANCE_SECONDS,
      requiredClaims: ['exp'],
    });
    return payload;
  } catch (error) {
    throw error instanceof IssuerUnavailableError ? error : refusalOf(error, issuer);
  }
}

function refusalOf(error: unknown, { issuer, audience }: TokenIssuer): TokenRefusedError {
  const options = { cause: error };
  if (error instanceof errors.JWTClaimValidationFailed && error.claim === 'aud') {
    const details = { issuer, expected: audience, found: forLog(error.payload.aud) };
    return new TokenRefusedError('audience', details, options);
  }
  if (error instanceof errors.JWTClaimValidationFailed)
    return new TokenRefusedError('claim', { issuer, claim: error.claim }, options);
  const code = error instanceof errors.JOSEError ? error.code : '';
  return new TokenRefusedError(REASONS[code] ?? 'malformed', { issuer }, options);
}

const REASONS: Readonly<Record<string, string>> = {
  ERR_JWT_EXPIRED: 'expired',
  ERR_JOSE_ALG_NOT_ALLOWED: 'algorithm',
  ERR_JOSE_NOT_SUPPORTED: 'algorithm',
  ERR_JWKS_NO_MATCHING_KEY: 'unknown_key',
  ERR_JWKS_MULTIPLE_MATCHING_KEYS: 'unknown_key',
  ERR_JWS_SIGNATURE_VERIFICATION_FAILED: 'signature',
};

function forLog(claim: unknown): string | undefined {
  return JSON.stringify(claim)?.slice(0, LOGGED_LIMIT);
}
