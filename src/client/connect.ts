import { ClientUsageError } from './client-errors.ts';
import { apiKeyCredentials, githubCredentials } from './credentials.ts';
import type { GitHubTokenRequest } from './environment.ts';
import { type Credentials, Platform } from './platform.ts';

/** Where the platform is and who asks. */
export interface Connection {
  readonly baseUrl: string | undefined;
  readonly apiKey: string | undefined;
  /** Used when there is no key. */
  readonly githubTokenRequest: GitHubTokenRequest | undefined;
  /** Longest wait for one answer, in milliseconds. */
  readonly timeoutMs: number;
}

/** @throws {ClientUsageError} when an address or credentials are missing or unusable, naming what to set. */
export function connect(connection: Connection): Platform {
  const baseUrl = readBaseUrl(connection.baseUrl);
  return new Platform(baseUrl, chooseCredentials(connection, baseUrl), connection.timeoutMs);
}

function chooseCredentials(connection: Connection, baseUrl: URL): Credentials {
  const { apiKey, githubTokenRequest, timeoutMs } = connection;
  if (apiKey) return apiKeyCredentials(apiKey);
  if (githubTokenRequest) return githubCredentials(githubTokenRequest, baseUrl.origin, timeoutMs);
  throw new ClientUsageError('No API key: set RSOLV_API_KEY');
}

function readBaseUrl(address: string | undefined): URL {
  if (!address) {
    throw new ClientUsageError(
      'No address of the platform: set RSOLV_API_URL, for example to http://localhost:8088 ' +
        '(or USE_PLATFORM_STORAGE=false to keep results on this disk)',
    );
  }
  const url = URL.parse(address.endsWith('/') ? address : `${address}/`);
  if (url?.protocol !== 'http:' && url?.protocol !== 'https:') {
    throw new ClientUsageError(
      `RSOLV_API_URL must be a URL that starts with http:// or https://, not ${address}`,
    );
  }
  if (url.username !== '' || url.password !== '') {
    throw new ClientUsageError(
      'RSOLV_API_URL must hold no user name and no password: credentials go into RSOLV_API_KEY',
    );
  }
  return url;
}
