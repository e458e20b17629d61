import { describe, expect, it } from 'vitest';
import { readClientEnvironment } from './environment.ts';

describe('readClientEnvironment', () => {
  it.each([
    { name: 'nothing set', variables: {}, want: { usePlatform: true, isCi: false, apiKey: undefined } },
    { name: 'platform off', variables: { USE_PLATFORM_STORAGE: 'false' }, want: { usePlatform: false } },
    { name: 'only the literal false', variables: { USE_PLATFORM_STORAGE: '0' }, want: { usePlatform: true } },
    { name: 'False is not it', variables: { USE_PLATFORM_STORAGE: 'False' }, want: { usePlatform: true } },
    { name: 'a missing secret', variables: { RSOLV_API_KEY: '' }, want: { apiKey: undefined } },
    {
      name: 'a pasted line break',
      variables: { RSOLV_API_KEY: 'rsolv_a_b\n' },
      want: { apiKey: 'rsolv_a_b' },
    },
    { name: 'any CI', variables: { CI: 'true' }, want: { isCi: true } },
    { name: 'GitHub', variables: { GITHUB_ACTIONS: 'true' }, want: { isCi: true } },
    { name: 'CI denied', variables: { CI: 'false' }, want: { isCi: false } },
    {
      name: 'half of a token request',
      variables: { ACTIONS_ID_TOKEN_REQUEST_URL: 'https://t.example' },
      want: { githubTokenRequest: undefined },
    },
    {
      name: 'a token request',
      variables: { ACTIONS_ID_TOKEN_REQUEST_URL: 'https://t.example', ACTIONS_ID_TOKEN_REQUEST_TOKEN: 'b' },
      want: { githubTokenRequest: { url: 'https://t.example', bearer: 'b' } },
    },
  ])('$name', ({ variables, want }) => {
    expect(readClientEnvironment(variables)).toMatchObject(want);
  });
});
