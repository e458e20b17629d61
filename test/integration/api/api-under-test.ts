import { randomBytes } from 'node:crypto';
import type { FastifyInstance } from 'fastify';
import type { Logger } from 'pino';
import { sql } from 'slonik';
import { afterAll } from 'vitest';
import { z } from 'zod';
import { buildApp } from '../../../src/api/app.ts';
import { ANSWER_MS } from '../../../src/api/in-time.ts';
import type { TokenIssuer } from '../../../src/api/tokens/token-issuer.ts';
import { createTokenVerifier } from '../../../src/api/tokens/token-verifier.ts';
import type { BacklogBounds } from '../../../src/api/unarchived-backlog.ts';
import { createCache } from '../../../src/cache/cache.ts';
import type { Config, LimitSettings } from '../../../src/config.ts';
import { Controller } from '../../../src/controller/controller.ts';
import { createControllerObserver } from '../../../src/controller/controller-observer.ts';
import { createDoctorJob } from '../../../src/controller/doctor/doctor-job.ts';
import { createPostgresArchive } from '../../../src/controller/postgres-archive.ts';
import { createKubeClient, type KubeClient } from '../../../src/kube/client.ts';
import { createEventRecorder } from '../../../src/kube/event-recorder.ts';
import type { KubeResource } from '../../../src/kube/resource.ts';
import { NAMESPACES, type Namespace } from '../../../src/resources/namespace-binding.ts';
import { PHASE_RUNS, type PhaseRun } from '../../../src/resources/phase-run.ts';
import { type ApiKeyOptions, createApiKey } from '../../../src/store/api-keys.ts';
import { createCommittedRunsListener } from '../../../src/store/committed-runs-listener.ts';
import { createCustomer } from '../../../src/store/customers.ts';
import { type Connection, createDatabase } from '../../../src/store/database.ts';
import { addForgeAccount, verifyForgeAccount } from '../../../src/store/forge-accounts.ts';
import { Leadership } from '../../../src/store/leadership.ts';
import { createMetrics, type Metrics } from '../../../src/telemetry/metrics.ts';
import { observeCache, observeDatabase } from '../../../src/telemetry/observers.ts';
import { IDLE_TRACER } from '../../../src/telemetry/tracer.ts';
import { runLogger } from '../../fixtures/run-log/of-test.ts';

export interface ApiUnderTest {
  /** Without a slash at the end. */
  readonly url: string;
  readonly pool: Connection;
  readonly metrics: Metrics;
  readonly client: KubeClient;
  readonly phaseRuns: KubeResource<PhaseRun>;
  /** Where it creates PhaseRuns. */
  readonly namespace: string;
  setDraining(draining: boolean): void;
  close(): Promise<void>;
}

export interface ApiOptions {
  readonly kubeconfigPath: string;
  /** Undefined: as when DATABASE_URL is not set. */
  readonly databaseUrl: string | undefined;
  readonly namespace: string;
  /** Whose tokens it believes; nobody's when absent. */
  readonly tokenIssuers?: readonly TokenIssuer[];
  readonly logger?: Logger;
  /** Undefined: as when REDIS_URL is not set. */
  readonly redisUrl?: string;
  readonly limits?: Partial<LimitSettings>;
  readonly idempotency?: Partial<Config['idempotency']>;
  readonly unarchived?: Partial<BacklogBounds>;
  /** Off unless said otherwise: they would come between what a test finds in the audit. */
  readonly auditReads?: boolean;
  /** For webhooks. */
  readonly allowPrivateAddresses?: boolean;
  /** How much is kept while Kubernetes is away; the defaults where it says nothing. */
  readonly inbox?: Partial<Config['inbox']>;
  /** Registers routes of the test's own. */
  readonly routes?: (app: FastifyInstance) => void;
}

/** More than any test needs that is not about limits. */
const GENEROUS: LimitSettings = {
  requestsPerHour: 0,
  authFailuresPerMinute: 0,
  requestsInFlight: 10_000,
  eventLoopDelayMs: 60_000,
};

/** An API replica listening on a free port, with everything behind it real; closed at the end of the file. */
export async function startApi({
  kubeconfigPath,
  databaseUrl,
  namespace,
  tokenIssuers = [],
  logger = runLogger('api'),
  redisUrl,
  limits = {},
  idempotency = {},
  unarchived = {},
  auditReads = false,
  allowPrivateAddresses = false,
  inbox = {},
  routes = () => undefined,
}: ApiOptions): Promise<ApiUnderTest> {
  const metrics = createMetrics({ defaultMetrics: false });
  const applicationName = 'api-under-test';
  const observer = observeDatabase(metrics);
  const database = await createDatabase({
    url: databaseUrl,
    poolMax: 5,
    statementTimeoutMs: ANSWER_MS,
    applicationName,
    logger,
    observer,
  });
  const { pool } = database;
  const committedRuns = createCommittedRunsListener({ url: databaseUrl, pool, applicationName, logger });
  const client = createKubeClient({ kind: 'kubeconfig', path: kubeconfigPath }, { logger });
  const cache = createCache({ url: redisUrl, logger, observer: observeCache(metrics) });
  let draining = false;
  const app = buildApp({
    version: '0.0.0-test',
    logger,
    metrics,
    tracer: IDLE_TRACER,
    exposeMetrics: true,
    health: {
      database: databaseUrl === undefined ? undefined : { ping: () => pingOrThrow(database) },
      redis: redisUrl === undefined ? undefined : { ping: () => pingOrThrow(cache) },
      kubernetes: { ping: (signal) => client.request({ method: 'GET', path: '/version', signal }) },
      isDraining: () => draining,
    },
    database,
    cache,
    committedRuns,
    kubernetes: client,
    namespaceOf: () => namespace,
    tokens: createTokenVerifier(tokenIssuers),
    inbox: { runs: 5_000, bytes: 268_435_456, ...inbox },
    idempotency: { enabled: true, ttlSeconds: 86_400, ...idempotency },
    limits: { ...GENEROUS, ...limits },
    unarchived: { maxRuns: 5_000, maxBytes: 268_435_456, ...unarchived },
    auditReads,
    webhooks: { allowPrivateAddresses },
  });
  app.register((scope) => Promise.resolve(routes(scope)));
  const url = await app.listen({ host: '127.0.0.1', port: 0 });
  let closing: Promise<void> | undefined;
  const close = () => {
    closing ??= app
      .close()
      .then(() => cache.close())
      .then(() => committedRuns.close())
      .then(() => client.close())
      .then(() => database.close());
    return closing;
  };
  afterAll(close);
  return {
    url,
    pool,
    metrics,
    client,
    phaseRuns: client.resource<PhaseRun>(PHASE_RUNS),
    namespace,
    setDraining: (value) => {
      draining = value;
    },
    close,
  };
}

async function pingOrThrow(store: { ping(): Promise<boolean> }): Promise<void> {
  if (!(await store.ping())) throw new Error('no answer');
}

/** A controller that works on every PhaseRun of the cluster until the file ends, and what it counts. */
export async function startController(options: {
  kubeconfigPath: string;
  databaseUrl: string;
}): Promise<Metrics> {
  const { kubeconfigPath, databaseUrl } = options;
  const logger = runLogger('controller');
  const database = await createDatabase({
    url: databaseUrl,
    poolMax: 5,
    applicationName: 'controller-under-test',
    logger,
  });
  const client = createKubeClient({ kind: 'kubeconfig', path: kubeconfigPath }, { logger });
  const events = createEventRecorder({
    client,
    controller: 'test.example/controller',
    instance: 'test',
    logger,
  });
  const phaseRuns = client.resource<PhaseRun>(PHASE_RUNS);
  const metrics = createMetrics({ defaultMetrics: false });
  const { pool } = database;
  const controller = new Controller({
    client,
    phaseRuns,
    namespaces: client.resource<Namespace>(NAMESPACES),
    archive: createPostgresArchive(database, new Leadership(pool)),
    observer: createControllerObserver(metrics, events),
    tracer: IDLE_TRACER,
    logger,
    concurrency: 8,
    maxArchived: 5_000,
    doctor: (objects) => createDoctorJob({ pool, phaseRuns, metrics, logger, ...objects }),
    jobs: [],
    sessionRetentionDays: 7,
  });
  const stopping = new AbortController();
  controller.start();
  const leading = controller.lead(stopping.signal);
  afterAll(async () => {
    stopping.abort();
    await leading;
    await controller.stop();
    await events.close();
    await client.close();
    await database.close();
  });
  return metrics;
}

export interface Tenant {
  readonly customerId: string;
  readonly apiKey: string;
  /** A GitHub namespace that is verified as its own. */
  readonly owner: string;
}

/** A customer with a verified GitHub namespace and a key for reading and writing. */
export async function makeTenant(pool: Connection, keyOptions: Partial<ApiKeyOptions> = {}): Promise<Tenant> {
  const owner = `owner-${randomBytes(5).toString('hex')}`;
  const customerId = (await createCustomer(pool, owner)).id;
  await claimNamespace(pool, customerId, owner);
  const { apiKey } = await createApiKey(pool, {
    customerId,
    name: 'test',
    scopes: ['phases:read', 'phases:write'],
    ...keyOptions,
  });
  return { customerId, apiKey, owner };
}

/** Makes a GitHub namespace the customer's own. */
export async function claimNamespace(pool: Connection, customerId: string, namespace: string): Promise<void> {
  await addForgeAccount(pool, customerId, { forge: 'github', namespace });
  await verifyForgeAccount(pool, customerId, { forge: 'github', namespace });
}

export interface ApiAnswer {
  readonly status: number;
  readonly headers: Headers;
  // oxlint-disable-next-line typescript/no-explicit-any -- tests say what they expect of it
  readonly body: any;
}

/** Stores a result as a runner does. */
export function store(api: ApiUnderTest, tenant: Pick<Tenant, 'apiKey'>, body: object): Promise<ApiAnswer> {
  return send(api, '/api/v1/phases/store', {
    method: 'POST',
    headers: { 'x-api-key': tenant.apiKey, 'content-type': 'application/json' },
    body: JSON.stringify(body),
  });
}

/** Retrieves results as a runner does. */
export function retrieve(
  api: ApiUnderTest,
  tenant: Pick<Tenant, 'apiKey'>,
  query: Record<string, string>,
): Promise<ApiAnswer> {
  const path = `/api/v1/phases/retrieve?${new URLSearchParams(query).toString()}`;
  return send(api, path, { headers: { 'x-api-key': tenant.apiKey } });
}

/** Sends any request; an answer without JSON has a null body. */
export async function send(api: ApiUnderTest, path: string, init: RequestInit = {}): Promise<ApiAnswer> {
  const response = await fetch(api.url + path, init);
  const text = await response.text();
  const isJson = text !== '' && response.headers.get('content-type')?.includes('json') === true;
  return { status: response.status, headers: response.headers, body: isJson ? JSON.parse(text) : null };
}

/** How many rows and PhaseRuns there are, and payloads: what a refused request must leave as it was. */
export async function countStored({ pool, phaseRuns, namespace }: ApiUnderTest): Promise<object> {
  const counts = z.object({
    scans: z.number(),
    validations: z.number(),
    mitigations: z.number(),
    payloads: z.number(),
    repositories: z.number(),
  });
  const rows = await pool.one(sql.type(counts)`
    SELECT
      (SELECT count(*) FROM scan_executions) AS scans,
      (SELECT count(*) FROM validation_executions) AS validations,
      (SELECT count(*) FROM mitigation_executions) AS mitigations,
      (SELECT count(*) FROM payloads) AS payloads,
      (SELECT count(*) FROM repositories) AS repositories
  `);
  return { ...rows, phaseRuns: (await phaseRuns.list({ namespace })).length };
}
