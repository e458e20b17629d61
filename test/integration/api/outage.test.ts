import { describe, expect, inject, test, vi } from 'vitest';
import { freshDatabase } from '../../fixtures/database.ts';
import { freshNamespace, ownKubernetes } from '../../fixtures/kubernetes.ts';
import { ownPostgres } from '../store/own-postgres.ts';
import { countStored, makeTenant, retrieve, send, startApi, store } from './api-under-test.ts';

const scan = { phase: 'scan', commitSha: 'c0ffee', data: { vulnerabilities: [] } };

describe('without a Kubernetes API', async () => {
  const kubernetes = await ownKubernetes();
  const { kubeconfigPath } = kubernetes;
  const { url: databaseUrl } = await freshDatabase();
  const api = await startApi({
    kubeconfigPath,
    databaseUrl,
    namespace: await freshNamespace({ kubeconfigPath }),
    inbox: { runs: 1 },
  });
  const tenant = await makeTenant(api.pool);
  const request = { ...scan, repo: `${tenant.owner}/shop` };

  test('stores are kept as long as there is room, then asked to come again; reads go on; then all is well', async () => {
    const before = await countStored(api);
    await kubernetes.killApiserver();
    const kept = await store(api, tenant, request);
    expect(kept).toMatchObject({ status: 202, body: { persisted: false } });
    const refused = await store(api, tenant, { ...request, data: { vulnerabilities: [1] } });
    expect(refused).toMatchObject({ status: 503, body: { code: 'KUBERNETES_UNAVAILABLE' } });
    expect(Number(refused.headers.get('retry-after'))).toBeGreaterThan(0);
    expect((await retrieve(api, tenant, { repo: request.repo, commit: 'c0ffee' })).status).toBe(200);
    expect((await send(api, '/health')).body).toMatchObject({
      status: 'degraded',
      database: 'connected',
      kubernetes: 'disconnected',
    });
    expect((await send(api, '/readyz')).status).toBe(200);

    await kubernetes.restartApiserver();
    expect(await countStored(api)).toEqual(before);
    const elsewhere = { ...request, commitSha: 'beef' };
    expect(await store(api, tenant, elsewhere)).toMatchObject({ status: 202, body: { phaseRun: {} } });
  });
});

describe('without a database', async () => {
  const kubeconfigPath = inject('kubeconfigPath');
  const namespace = await freshNamespace();
  const unconfigured = await startApi({ kubeconfigPath, databaseUrl: undefined, namespace });
  const postgres = await ownPostgres();
  const cutOff = await startApi({ kubeconfigPath, databaseUrl: postgres.url, namespace });

  test('that is not configured, the process serves, and says what is missing', async () => {
    const nobody = { apiKey: 'rsolv_nobody_secret' };
    for (const answer of [
      await store(unconfigured, nobody, { ...scan, repo: 'acme/shop' }),
      await retrieve(unconfigured, nobody, { repo: 'acme/shop' }),
    ]) {
      expect(answer).toMatchObject({ status: 503, body: { code: 'DATABASE_UNAVAILABLE' } });
      expect(Number(answer.headers.get('retry-after'))).toBeGreaterThan(0);
    }
    expect(await send(unconfigured, '/health')).toMatchObject({
      status: 200,
      body: { status: 'degraded', database: 'disabled', redis: 'disabled' },
    });
    expect((await send(unconfigured, '/livez')).status).toBe(200);
  });

  test('that went away, requests are asked to come again; once it is back they are served', async () => {
    const tenant = await makeTenant(cutOff.pool);
    const repo = `${tenant.owner}/shop`;
    expect((await retrieve(cutOff, tenant, { repo })).status).toBe(200);
    await postgres.kill();
    const refused = { status: 503, body: { code: 'DATABASE_UNAVAILABLE' } };
    expect(await retrieve(cutOff, tenant, { repo })).toMatchObject(refused);
    expect(await store(cutOff, tenant, { ...scan, repo })).toMatchObject(refused);
    expect((await send(cutOff, '/health')).body.database).toBe('disconnected');
    await postgres.restart();
    await vi.waitFor(async () => expect((await retrieve(cutOff, tenant, { repo })).status).toBe(200), 10_000);
  });
});
