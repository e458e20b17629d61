/**
 * What the client takes from the environment when its caller leaves it out. The client is published apart from
 * the program and has no other configuration, so this file, not `src/config.ts`, is its single reader.
 */
export interface ClientEnvironment {
  /** `RSOLV_API_URL`: address of the API, such as `https://phaserun.example.com`. */
  readonly baseUrl: string | undefined;
  /** `RSOLV_API_KEY`. */
  readonly apiKey: string | undefined;
  /** `USE_PLATFORM_STORAGE`: only the literal `false` turns the platform off. */
  readonly usePlatform: boolean;
  /** Whether this is a CI job (`CI` or `GITHUB_ACTIONS`), whose log shows `::warning::` lines to people. */
  readonly isCi: boolean;
  /** Where a GitHub Actions job with `id-token: write` gets its OIDC token; undefined elsewhere. */
  readonly githubTokenRequest: GitHubTokenRequest | undefined;
}

/** `ACTIONS_ID_TOKEN_REQUEST_URL` and `ACTIONS_ID_TOKEN_REQUEST_TOKEN`. */
export interface GitHubTokenRequest {
  readonly url: string;
  readonly bearer: string;
}

/** Reads the environment; an empty variable counts as unset, as CI systems pass a missing secret. */
export function readClientEnvironment(
  variables: Readonly<Record<string, string | undefined>> = process.env,
): ClientEnvironment {
  const read = (name: string) => variables[name]?.trim() || undefined;
  const url = read('ACTIONS_ID_TOKEN_REQUEST_URL');
  const bearer = read('ACTIONS_ID_TOKEN_REQUEST_TOKEN');
  return {
    baseUrl: read('RSOLV_API_URL'),
    apiKey: read('RSOLV_API_KEY'),
    usePlatform: read('USE_PLATFORM_STORAGE') !== 'false',
    isCi: [read('CI'), read('GITHUB_ACTIONS')].some((value) => value !== undefined && value !== 'false'),
    githubTokenRequest: url && bearer ? { url, bearer } : undefined,
  };
}
