import { randomBytes } from 'node:crypto';
import { expect, test, vi } from 'vitest';
import { freshNamespace, ownKubernetes } from '../../fixtures/kubernetes.ts';
import { ownPostgres } from '../store/own-postgres.ts';
import { type ApiUnderTest, makeTenant, startApi, startController, store } from './api-under-test.ts';

const postgres = await ownPostgres();
const kubernetes = await ownKubernetes();
const { kubeconfigPath } = kubernetes;
const databaseUrl = postgres.url;
const namespace = await freshNamespace({ kubeconfigPath });
const options = { kubeconfigPath, databaseUrl, namespace };
const unarchived = { maxRuns: 6, maxBytes: 100_000, quietMs: 2_000 };
const api = await startApi({ ...options, unarchived });
const other = await startApi({ ...options, unarchived });
const tenant = await makeTenant(api.pool);
const repo = `${tenant.owner}/shop`;

const SOON = { timeout: 30_000, interval: 50 };

const scan = (commitSha: string, data: object = {}) => ({ phase: 'scan', repo, commitSha, data });

async function valueOf({ metrics }: ApiUnderTest, name: string): Promise<number> {
  const line = (await metrics.expose()).split('\n').find((each) => each.startsWith(`${name} `));
  return Number(line?.split(' ')[1]);
}

test('more than may wait to be archived, over all replicas, is refused, until it is archived; then the counting ends', async () => {
  // Without a controller both end in 202, and are the first two to wait.
  for (const replica of [api, other]) {
    // An API server that has just started may be slow at first, and then the result waits elsewhere.
    await vi.waitFor(async () => {
      const known = await store(replica, tenant, scan(`known-${randomBytes(4).toString('hex')}`));
      expect(known).toMatchObject({ status: 202, body: { phaseRun: { namespace } } });
    }, SOON);
  }
  await postgres.kill();
  for (const [n, replica] of [api, other, api].entries()) {
    expect((await store(replica, tenant, scan(`small-${n}`))).status).toBe(202);
  }
  const large = scan('large', { files: randomBytes(100_000).toString('hex') });
  expect(await store(other, tenant, large)).toMatchObject({ status: 503, body: { code: 'BACKLOG_FULL' } });
  const atOnce = await Promise.all(['a', 'b', 'c'].map((commit) => store(api, tenant, scan(commit))));
  expect(atOnce.map(({ status }) => status).toSorted((a, b) => a - b)).toEqual([202, 503, 503]);
  await vi.waitFor(async () => {
    expect(await valueOf(other, 'phaserun_store_unarchived_phaseruns')).toBe(6);
  }, SOON);
  const refused = await store(other, tenant, scan('one-too-many'));
  expect(refused).toMatchObject({ status: 503, body: { code: 'BACKLOG_FULL' } });
  expect(Number(refused.headers.get('retry-after'))).toBeGreaterThan(0);

  await postgres.restart();
  // Postgres is there, and what waits still waits.
  await vi.waitFor(async () => {
    expect(await valueOf(api, 'phaserun_store_postgres_away')).toBe(0);
    expect((await store(api, tenant, scan('admitted'))).body.code).toBe('BACKLOG_FULL');
  }, SOON);
  await startController(options);
  await vi.waitFor(async () => {
    expect((await store(api, tenant, scan('one-too-many'))).status).toBe(200);
  }, SOON);
  await vi.waitFor(async () => {
    const lists = [api, other].map((replica) => valueOf(replica, 'phaserun_store_unarchived_phaseruns'));
    expect(await Promise.all(lists)).toEqual([0, 0]);
  }, SOON);
});

test('with the cluster away as well, a store is asked to come again, at once', async () => {
  expect((await store(api, tenant, scan('before'))).status).toBe(200);
  await Promise.all([postgres.kill(), kubernetes.killApiserver()]);
  const startedAt = performance.now();
  const refused = await store(api, tenant, scan('both'));
  expect(refused).toMatchObject({ status: 503, body: { code: 'KUBERNETES_UNAVAILABLE' } });
  expect(Number(refused.headers.get('retry-after'))).toBeGreaterThan(0);
  expect(performance.now() - startedAt).toBeLessThan(2_000);
  await kubernetes.restartApiserver();
  await vi.waitFor(async () => expect((await store(api, tenant, scan('both'))).status).toBe(202), SOON);
});
