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
    ['OTEL_EXPORTER_OTLP_ENDPOINT', 'collector:4318'],
    ['OTEL_TRACES_SAMPLER_ARG', '1.5'],
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

  it.each([
    {
      set: { EXECUTION_RETENTION_DAYS: '6' },
      want: /EXECUTION_RETENTION_DAYS is 6 days.*spec.ttlSecondsAfterArchived.*at least 7/,
    },
    {
      set: { EXECUTION_RETENTION_DAYS: '8', SESSION_RETENTION_DAYS: '9' },
      want: /EXECUTION_RETENTION_DAYS is 8.*SESSION_RETENTION_DAYS \(9 days\).*lower SESSION_RETENTION_DAYS/,
    },
    {
      set: { EXECUTION_RETENTION_DAYS: '30', PAYLOAD_RETENTION_DAYS: '60' },
      want: /EXECUTION_RETENTION_DAYS is 30.*PAYLOAD_RETENTION_DAYS/,
    },
    {
      set: { TASK_RETENTION_DAYS: '7', IDEMPOTENCY_TTL_SECONDS: '700000' },
      want: /TASK_RETENTION_DAYS is 7.*IDEMPOTENCY_TTL_SECONDS \(700000 seconds\)/,
    },
    {
      set: { TOMBSTONE_RETENTION_DAYS: '1', IDEMPOTENCY_TTL_SECONDS: '86401' },
      want: /TOMBSTONE_RETENTION_DAYS is 1.*IDEMPOTENCY_TTL_SECONDS/,
    },
    { set: { EXECUTION_RETENTION_DAYS: 'never' }, want: /EXECUTION_RETENTION_DAYS must be .* or forever/ },
  ])('refuses $set, naming what goes against what', ({ set, want }) => {
    expect(() => loadConfig(set)).toThrow(want);
  });

  it.each(['0', 'forever'])('keeps for ever what is to be kept for %s', (days) => {
    const set = {
      EXECUTION_RETENTION_DAYS: days,
      PAYLOAD_RETENTION_DAYS: '1',
      TOMBSTONE_RETENTION_DAYS: days,
    };
    expect(loadConfig(set).retention).toMatchObject({ executionDays: 0, payloadDays: 1, tombstoneDays: 0 });
    expect(loadConfig({}).retention).toMatchObject({ executionDays: 365, payloadDays: 0 });
  });

  it('reads the one token issuer', () => {
    const set = { OIDC_ISSUER_URL: 'https://id.example', OIDC_AUDIENCE: 'phaserun' };
    expect(loadConfig(set).oidc).toEqual({ issuer: 'https://id.example', audience: 'phaserun' });
    expect(loadConfig({}).oidc).toBeUndefined();
  });

  it('makes a login for dashboards where there is a password, under a name that Postgres does not keep for itself', () => {
    expect(loadConfig({ DATABASE_READER_ROLE: 'grafana' }).readerRole).toBeUndefined();
    const password = 'correct-horse';
    expect(loadConfig({ DATABASE_READER_PASSWORD: password }).readerRole).toEqual({
      name: 'phaserun_reader',
      password,
    });
    expect(() => loadConfig({ DATABASE_READER_ROLE: 'pg_monitor' })).toThrow(/DATABASE_READER_ROLE/);
    expect(() => loadConfig({ DATABASE_READER_PASSWORD: 'zwölf Zeichen' })).toThrow(
      /DATABASE_READER_PASSWORD/,
    );
  });
});
