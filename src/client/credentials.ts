import { ClientUsageError, PlatformUnreachableError } from './client-errors.ts';
import type { GitHubTokenRequest } from './environment.ts';
import { isJsonObject } from './phase-result.ts';
import { type Credentials, exchange } from './platform.ts';

/**
 * Credentials of an API key.
 * @throws {ClientUsageError} when the key cannot be sent in a header, such as one with a line break inside.
 */
export function apiKeyCredentials(apiKey: string): Credentials {
  const headers = { 'x-api-key': apiKey };
  try {
    void new Headers(headers);
  } catch {
    // The error repeats the key, and whoever prints causes would print it.
    throw new ClientUsageError('The API key holds characters that no key has: copy it again');
  }
  return () => Promise.resolve(headers);
}

/**
 * Credentials of a GitHub Actions job: an OIDC token made for this platform alone, asked for anew with every request
 * since it lives for minutes.
 * https://docs.github.com/en/actions/reference/security/oidc
 */
export function githubCredentials(
  request: GitHubTokenRequest,
  audience: string,
  timeoutMs: number,
): Credentials {
  return async () => {
    const url = new URL(request.url);
    url.searchParams.set('audience', audience);
    const headers = { accept: 'application/json', authorization: `Bearer ${request.bearer}` };
    const { response, text } = await exchange(url, { headers }, timeoutMs);
    const token = response.ok ? readToken(text) : undefined;
    if (token === undefined) {
      const message = `GitHub gave no OIDC token (${url.origin} answered ${response.status})`;
      throw new PlatformUnreachableError(message, { retryable: response.status >= 500 });
    }
    return { authorization: `Bearer ${token}` };
  };
}

function readToken(text: string): string | undefined {
  try {
    const body: unknown = JSON.parse(text);
    return isJsonObject(body) && typeof body['value'] === 'string' ? body['value'] : undefined;
  } catch {
    return undefined;
  }
}
