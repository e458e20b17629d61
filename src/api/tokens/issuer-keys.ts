import { createRemoteJWKSet, customFetch, errors, type JWTVerifyGetKey } from 'jose';
import { z } from 'zod';
import type { TokenIssuer } from './token-issuer.ts';

/** The keys of an issuer are needed and cannot be had: whether a token is good cannot be told. */
export class IssuerUnavailableError extends Error {
  override readonly name = 'IssuerUnavailableError';
  readonly issuer: string;

  constructor(issuer: string, cause: unknown) {
    super(`the keys of ${issuer} cannot be fetched`, { cause });
    this.issuer = issuer;
  }
}

/** Keys are fetched anew in the background when they are older than this. */
const REFRESH_MS = 10 * 60_000;
/** So long an issuer may be out of reach before keys that it may have withdrawn are trusted no more. */
const TRUSTED_MS = 60 * 60_000;
/** A token with an unknown key has the keys fetched anew, but not more often than this: anybody can make one up. */
const COOLDOWN_MS = 30_000;
/** After a failure the issuer is left in peace for this long. */
const PAUSE_MS = 5_000;
/** For one answer of the issuer. */
const FETCH_MS = 3_000;

type KeySet = ReturnType<typeof createRemoteJWKSet>;

/**
 * Finds the key that a token names, in the key set of its issuer (RFC 7517).
 * @throws IssuerUnavailableError, or an error of jose when the issuer has no such key
 */
export function createIssuerKeys({ issuer, jwksUrl }: TokenIssuer): JWTVerifyGetKey {
  const fetchPatiently = patientFetch();
  let opened: Promise<KeySet> | undefined;
  let askedAt = 0;

  async function open(): Promise<KeySet> {
    const url = jwksUrl ?? (await discover(issuer, fetchPatiently));
    askedAt = Date.now();
    return createRemoteJWKSet(new URL(url), {
      cooldownDuration: COOLDOWN_MS,
      cacheMaxAge: TRUSTED_MS,
      timeoutDuration: FETCH_MS,
      [customFetch]: fetchPatiently,
    });
  }

  function forget(error: unknown): never {
    opened = undefined;
    throw error;
  }

  function refreshInBackground(keys: KeySet): void {
    if (Date.now() - askedAt < REFRESH_MS) return;
    askedAt = Date.now();
    // Those at hand are good for a while yet; that the issuer is away shows when they are not.
    keys.reload().catch(() => undefined);
  }

  return async (header, token) => {
    try {
      opened ??= open();
      const keys = await opened.catch(forget);
      const key = await keys(header, token);
      refreshInBackground(keys);
      return key;
    } catch (error) {
      throw isAboutToken(error) ? error : new IssuerUnavailableError(issuer, error);
    }
  };
}

/** jose says so where the key set was read, and holds no key for the token. */
function isAboutToken(error: unknown): boolean {
  return (
    error instanceof errors.JWKSNoMatchingKey ||
    error instanceof errors.JWKSMultipleMatchingKeys ||
    error instanceof errors.JOSENotSupported
  );
}

const discoveryDocument = z.object({ issuer: z.string(), jwks_uri: z.url() });

/** https://openid.net/specs/openid-connect-discovery-1_0.html#ProviderConfig */
async function discover(issuer: string, fetchDocument: Fetch): Promise<string> {
  const url = `${issuer.replace(/\/$/, '')}/.well-known/openid-configuration`;
  const response = await fetchDocument(url, { redirect: 'manual', signal: AbortSignal.timeout(FETCH_MS) });
  const document = discoveryDocument.parse(await response.json());
  if (document.issuer !== issuer) throw new Error(`${url} speaks for ${document.issuer}`);
  return document.jwks_uri;
}

type Fetch = (url: string, init: RequestInit) => Promise<Response>;

/** fetch() that after a failure fails at once for a while, so that a flood of tokens is none of requests. */
function patientFetch(): Fetch {
  let failure: { readonly error: unknown; readonly until: number } | undefined;
  return async (url, init) => {
    if (failure !== undefined && Date.now() < failure.until) throw failure.error;
    try {
      const response = await fetch(url, init);
      if (response.status !== 200) throw new Error(`${url} answered ${response.status}`);
      failure = undefined;
      return response;
    } catch (error) {
      failure = { error, until: Date.now() + PAUSE_MS };
      throw error;
    }
  };
}
