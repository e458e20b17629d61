import { describe, expect, it } from 'vitest';
import { ConfigError, loadConfig } from './config.ts';

describe('loadConfig', () => {
  it('has a default for everything but the database', () => {
    const config = loadConfig({});
    expect(config).toMatchObject({ port: 8088, databasePoolMax: 5, namespace: 'phaserun-system' });
    expect(config.databaseUrl).toBeUndefined();
  });

  it('bounds what it takes on, and keeps answers for a day', () => {
    const { limits, idempotency } = loadConfig({ RATE_LIMIT_PER_HOUR: '0' });
    expect(limits).toMatchObject({ requestsPerHour: 0, requestsInFlight: 1_000 });
    expect(loadConfig({}).limits.requestsPerHour).toBe(20_000);
    expect(idempotency).toEqual({ enabled: true, ttlSeconds: 86_400 });
  });

  it('reads CONTROLLER_PORT as the older name of PORT', () => {
    expect(loadConfig({ CONTROLLER_PORT: '9000' }).port).toBe(9000);
    expect(loadConfig({ CONTROLLER_PORT: '9000', PORT: '9001' }).port).toBe(9001);
  });

  it('takes an empty variable for an unset one', () => {
    expect(loadConfig({ DATABASE_URL: '', PORT: '' })).toMatchObject({ databaseUrl: undefined, port: 8088 });
  });

  it.each([
    ['PORT', 'http'],
    ['PORT', '70000'],
    ['DATABASE_URL', 'mysql://localhost/x'],
    ['REDIS_URL', 'localhost:6379'],
    ['ENABLE_PROMETHEUS_METRICS', 'yes'],
    ['LOG_LEVEL', 'loud'],
    ['POD_NAMESPACE', 'Not_A_Namespace'],
    ['OIDC_ISSUER_URL', 'keycloak.example'],
  ])('refuses %s=%s and names the variable', (name, value) => {
    const load = () => loadConfig({ [name]: value });
    expect(load).toThrow(ConfigError);
    expect(load).toThrow(new RegExp(name));
  });

  it.each([
    { set: { OIDC_ISSUER_URL: 'https://id.example' }, want: /^OIDC_AUDIENCE is not set/ },
    { set: { OIDC_AUDIENCE: 'phaserun' }, want: /^OIDC_ISSUER_URL is not set/ },
    { set: { OIDC_JWKS_URL: 'https://id.example/keys' }, want: /^OIDC_ISSUER_URL is not set/ },
  ])('wants an issuer and an audience together: $set', ({ set, want }) => {
    expect(() => loadConfig(set)).toThrow(want);
  });

  it('reads the one token issuer', () => {
    const set = { OIDC_ISSUER_URL: 'https://id.example', OIDC_AUDIENCE: 'phaserun' };
    expect(loadConfig(set).oidc).toEqual({ issuer: 'https://id.example', audience: 'phaserun' });
    expect(loadConfig({}).oidc).toBeUndefined();
  });
});
