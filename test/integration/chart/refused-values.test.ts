import { describe, expect, test } from 'vitest';
import { CHART, hasChartTools, helm, withValues } from '../../../hack/helm.ts';

/** What nobody can mean, and what Helm says about it. */
const REFUSED: readonly { readonly values: object; readonly want: string }[] = [
  { values: { replicas: 3 }, want: "additional properties 'replicas' not allowed" },
  { values: { api: { replica: 3 } }, want: "at '/api': additional properties 'replica' not allowed" },
  { values: { api: { replicas: 0 } }, want: "at '/api/replicas': minimum: got 0, want 1" },
  { values: { api: { replicas: '2' } }, want: "at '/api/replicas': got string, want integer" },
  {
    values: { api: { resources: { limits: { memory: '1 GB' } } } },
    want: "at '/api/resources/limits/memory'",
  },
  { values: { api: { service: { type: 'Public' } } }, want: "'ClusterIP', 'NodePort', 'LoadBalancer'" },
  { values: { postgres: { mode: 'mysql' } }, want: "'bundled', 'external', 'cloudnativepg'" },
  { values: { postgres: { mode: 'external' } }, want: 'postgres.external.existingSecret: name the Secret' },
  {
    values: { postgres: { bundled: { storage: { size: 'ten' } } } },
    want: "at '/postgres/bundled/storage/size'",
  },
  {
    values: { postgres: { bundled: { parameters: { max_connections: 9 } } } },
    want: 'postgres.bundled.parameters.max_connections: set postgres.maxConnections instead',
  },
  { values: { redis: { mode: 'external' } }, want: 'redis.external.existingSecret: name the Secret' },
  { values: { settings: { LOG_LEVEL: 'loud' } }, want: "at '/settings/LOG_LEVEL': value must be one of" },
  { values: { settings: { DATABASE_URL: 'postgres://…' } }, want: "additional properties 'DATABASE_URL'" },
  {
    values: { settings: { EXECUTION_RETENTION_DAYS: 'never' } },
    want: "at '/settings/EXECUTION_RETENTION_DAYS'",
  },
  { values: { image: { digest: 'latest' } }, want: "at '/image/digest'" },
  { values: { tokenIssuers: [{ issuer: 'https://id.example.com' }] }, want: "missing property 'audience'" },
  { values: { tenant: { create: true } }, want: 'tenant.name: say what the customer is called' },
  { values: { tenant: { forgeAccounts: ['acme'] } }, want: "at '/tenant/forgeAccounts/0'" },
  { values: { ingress: { enabled: true } }, want: 'ingress.hosts: name at least one host' },
  { values: { ingress: { hosts: ['https://x'] } }, want: "at '/ingress/hosts/0'" },
  { values: { httpRoute: { enabled: true } }, want: 'httpRoute.parentRefs: name the Gateway' },
  {
    values: { passwordsMadeBy: 'job', redis: { bundled: { tls: { enabled: true } } } },
    want: 'redis.bundled.tls.existingSecret: name the Secret',
  },
  { values: { monitoring: { interval: '30' } }, want: "at '/monitoring/interval'" },
  {
    values: { api: { autoscaling: { enabled: true, minReplicas: 9, maxReplicas: 3 } } },
    want: 'api.autoscaling.minReplicas is 9, and api.autoscaling.maxReplicas only 3',
  },
];

/** Replicas and pools, and the least of connections that they can do with. */
const CONNECTIONS: readonly { readonly values: object; readonly needed: number }[] = [
  { values: {}, needed: 56 },
  { values: { api: { replicas: 10, databasePoolMax: 9 } }, needed: 148 },
  { values: { controller: { replicas: 3, databasePoolMax: 40 } }, needed: 186 },
  { values: { api: { replicas: 2, autoscaling: { enabled: true, maxReplicas: 19 } } }, needed: 158 },
];

const template = (values: object) =>
  withValues(values, (file) => helm('template', 'phaserun', CHART, '--values', file));

describe.skipIf(!hasChartTools)('the chart', () => {
  test.for(REFUSED)('refuses $values', async ({ values, want }) => {
    const { ok, complaint } = await template(values);
    expect(complaint).toContain(want);
    expect(ok).toBe(false);
  });

  test.for(CONNECTIONS)('refuses less than $needed connections for $values', async ({ values, needed }) => {
    const allowing = (maxConnections: number) => template({ ...values, postgres: { maxConnections } });
    const tooFew = await allowing(needed - 1);
    expect(tooFew.complaint).toContain(
      `postgres.maxConnections is ${needed - 1}, and ${needed} connections may be wanted`,
    );
    expect(tooFew.ok).toBe(false);
    expect(await allowing(needed)).toMatchObject({ ok: true });
  });
});
