/** What `store` and `retrieve` read, for their help; read by `src/client/environment.ts`. */
export const RUNNER_ENVIRONMENT: Readonly<Record<string, string>> = {
  RSOLV_API_URL: 'address of the API, such as http://localhost:8088; required',
  RSOLV_API_KEY: 'API key; required',
  USE_PLATFORM_STORAGE: 'false keeps results in .rsolv/phase-data and asks no platform',
};
