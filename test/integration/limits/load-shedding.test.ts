import { connect, type Socket } from 'node:net';
import { expect, inject, onTestFinished, test, vi } from 'vitest';
import { freshDatabase } from '../../fixtures/database.ts';
import { freshNamespace } from '../../fixtures/kubernetes.ts';
import { type ApiUnderTest, makeTenant, retrieve, send, startApi } from '../api/api-under-test.ts';

const kubeconfigPath = inject('kubeconfigPath');
const namespace = await freshNamespace();
const { url: databaseUrl } = await freshDatabase();

/** A replica for one test. */
async function startLimited(limits: object): Promise<ApiUnderTest> {
  const api = await startApi({ kubeconfigPath, databaseUrl, namespace, limits });
  onTestFinished(() => api.close());
  return api;
}

/** Begins a store, and sends no more than the first byte of its body. */
async function hold(api: ApiUnderTest, apiKey: string): Promise<Socket> {
  const { hostname, port } = new URL(api.url);
  const socket = connect(Number(port), hostname);
  onTestFinished(() => void socket.destroy());
  socket.on('error', () => undefined);
  const before = await inFlight(api);
  socket.write(
    `POST /api/v1/phases/store HTTP/1.1\r\nhost: x\r\nx-api-key: ${apiKey}\r\n` +
      'content-type: application/json\r\ncontent-length: 100\r\n\r\n{',
  );
  await vi.waitUntil(async () => (await inFlight(api)) > before, 20_000);
  return socket;
}

/** The scrape itself is one of them. */
async function inFlight(api: ApiUnderTest): Promise<number> {
  const text = await (await fetch(`${api.url}/metrics`)).text();
  return Number(/^http_requests_in_flight (\d+)$/m.exec(text)?.[1]);
}

test('past as many requests at once as it takes, it turns others away, and takes them again when some are gone', async () => {
  const api = await startLimited({ requestsInFlight: 2 });
  const tenant = await makeTenant(api.pool);
  const read = () => retrieve(api, tenant, { repo: `${tenant.owner}/shop` });
  const held = [await hold(api, tenant.apiKey), await hold(api, tenant.apiKey)];
  const refused = await read();
  expect(refused).toMatchObject({ status: 503, body: { code: 'OVERLOADED', requestId: expect.any(String) } });
  expect(Number(refused.headers.get('retry-after'))).toBeGreaterThan(0);
  expect(await api.metrics.expose()).toContain('phaserun_shed_requests_total{pressure="in_flight"} 1');
  for (const path of ['/livez', '/readyz', '/health', '/status', '/metrics']) {
    expect({ path, status: (await send(api, path)).status }).toEqual({ path, status: 200 });
  }
  held[0]?.destroy();
  await vi.waitFor(async () => expect((await read()).status).toBe(200), 5_000);
});

test('while its event loop is late it takes one request at a time', async () => {
  const api = await startLimited({ eventLoopDelayMs: 50 });
  const tenant = await makeTenant(api.pool);
  const read = () => retrieve(api, tenant, { repo: `${tenant.owner}/shop` });
  await hold(api, tenant.apiKey);
  expect((await read()).status).toBe(200);
  const refused = await vi.waitFor(async () => {
    const end = performance.now() + 1_500;
    while (performance.now() < end);
    const answer = await read();
    expect(answer.status).toBe(503);
    return answer;
  }, 20_000);
  expect(refused.body.code).toBe('OVERLOADED');
  expect(await api.metrics.expose()).toMatch(/phaserun_shed_requests_total\{pressure="event_loop"\} [1-9]/);
  await vi.waitFor(async () => expect((await read()).status).toBe(200), 10_000);
});
