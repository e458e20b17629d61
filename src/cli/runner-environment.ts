/** What `store` and `retrieve` read, for their help; read by `src/client/environment.ts`. */
export const RUNNER_ENVIRONMENT: Readonly<Record<string, string>> = {
  RSOLV_API_URL: 'address of the API, such as http://localhost:8088; required',
  RSOLV_API_KEY: 'API key; without one, a GitHub Actions job uses its OIDC token',
  USE_PLATFORM_STORAGE: 'false keeps results in .rsolv/phase-data and asks no platform',
};
