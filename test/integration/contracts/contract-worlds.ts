import { randomBytes } from 'node:crypto';
import { Redis } from 'ioredis';
import { inject, onTestFinished, vi } from 'vitest';
import type { Scope } from '../../../src/store/principal.ts';
import type { Metrics } from '../../../src/telemetry/metrics.ts';
import { freshDatabase } from '../../fixtures/database.ts';
import { freshNamespace, ownKubernetes } from '../../fixtures/kubernetes.ts';
import { ownRedis } from '../../fixtures/redis.ts';
import {
  type ApiAnswer,
  type ApiOptions,
  type ApiUnderTest,
  makeTenant,
  send,
  startApi,
  startController,
  store,
  type Tenant,
} from '../api/api-under-test.ts';

/** One of the two installations that every row of the contracts is tried in. */
export interface ContractWorld {
  readonly world: 'without Redis' | 'with Redis';
  readonly api: ApiUnderTest;
  /** Where its Redis is; undefined where it has none. */
  readonly redisUrl: string | undefined;
  /** How the API was started, for another replica. */
  readonly options: ApiOptions;
  /** What the controller behind it counts; undefined where the worlds have none. */
  readonly controllerMetrics: Metrics | undefined;
}

/** All that a key may be allowed. */
export const ALL_SCOPES: Scope[] = ['phases:read', 'phases:write', 'sessions', 'admin'];

/** Far above what a test sends; it makes every request count, in Redis where there is one, as in production. */
const REQUESTS_PER_HOUR = 1_000_000;

/**
 * An API over Postgres and Kubernetes, once without Redis and once with it, sharing the rest. Call it at the top level. A machine
 * without Redis has the first alone; CI has both.
 * @param withController whether PhaseRuns are archived: it takes a control plane of the file's own
 */
export async function createContractWorlds({
  withController = true,
} = {}): Promise<readonly ContractWorld[]> {
  const { url: databaseUrl } = await freshDatabase();
  const redis = await ownRedis();
  const kubeconfigPath = withController ? (await ownKubernetes()).kubeconfigPath : inject('kubeconfigPath');
  const namespace = await freshNamespace({ kubeconfigPath });
  const shared = { kubeconfigPath, databaseUrl, namespace, limits: { requestsPerHour: REQUESTS_PER_HOUR } };
  const controllerMetrics = withController
    ? await startController({ kubeconfigPath, databaseUrl })
    : undefined;
  const start = async (redisUrl?: string) => {
    const options = { ...shared, ...(redisUrl !== undefined && { redisUrl }) };
    return { api: await startApi(options), redisUrl, options, controllerMetrics };
  };
  const worlds: ContractWorld[] = [{ world: 'without Redis', ...(await start()) }];
  if (redis !== undefined) worlds.push({ world: 'with Redis', ...(await start(redis.url)) });
  // A control plane that has just begun to serve a kind turns the first requests away.
  for (const { api } of worlds) await vi.waitFor(() => api.phaseRuns.list({ namespace }), 20_000);
  for (const { api, redisUrl } of worlds) if (redisUrl !== undefined) await reachRedis(api);
  if (withController) for (const { api } of worlds) await reachRows(api);
  return worlds;
}

/** Waits until a store becomes a row at once: the first may find a control plane that is slow, and is kept for later. */
async function reachRows(api: ApiUnderTest): Promise<void> {
  const tenant = await makeTenant(api.pool);
  await vi.waitFor(async () => {
    const repo = freshRepository(tenant);
    const { status } = await store(api, tenant, { phase: 'scan', repo, commitSha: 'c1', data: {} });
    if (status !== 200) throw new Error(`the store was answered ${status}`);
  }, 20_000);
}

async function reachRedis(api: ApiUnderTest): Promise<void> {
  await vi.waitFor(async () => {
    const { redis } = (await send(api, '/health')).body;
    if (redis !== 'connected') throw new Error(`Redis is ${redis}`);
  }, 10_000);
}

/** Another replica, until the test ends. */
export async function startReplica(options: ApiOptions): Promise<ApiUnderTest> {
  const api = await startApi(options);
  onTestFinished(() => api.close());
  return api;
}

/** A repository of the tenant's that no other test uses. */
export function freshRepository({ owner }: Pick<Tenant, 'owner'>): string {
  return `${owner}/repo-${randomBytes(4).toString('hex')}`;
}

/** Whether it is the answer to an earlier request. */
export function isReplay({ headers }: ApiAnswer): boolean {
  return headers.get('idempotency-replayed') === 'true';
}

/** The keys that Redis has, whose names match. */
export function keysInRedis(url: string, pattern: string): Promise<readonly string[]> {
  return askRedis(url, (client) => client.keys(pattern));
}

/** How many milliseconds Redis holds what is under the key; negative: for ever, or nothing. */
export function timeLeftInRedis(url: string, key: string): Promise<number> {
  return askRedis(url, (client) => client.pttl(key));
}

/** All that Redis holds under names of safe retries, as one text. */
export function textInRedis(url: string): Promise<string> {
  return askRedis(url, async (client) => {
    const keys = await client.keys('idempotency:*');
    return (keys.length === 0 ? [] : await client.mget(keys)).join('\n');
  });
}

/** Empties Redis, where there is one. */
export async function forgetRedis(url: string | undefined): Promise<void> {
  if (url !== undefined) await askRedis(url, (client) => client.flushall());
}

async function askRedis<T>(url: string, ask: (client: Redis) => Promise<T>): Promise<T> {
  const client = new Redis(url);
  try {
    return await ask(client);
  } finally {
    client.disconnect();
  }
}
