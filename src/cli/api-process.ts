import { hostname } from 'node:os';
import type { Logger } from 'pino';
import { buildApp } from '../api/app.ts';
import { ANSWER_MS } from '../api/in-time.ts';
import { createTokenVerifier } from '../api/tokens/token-verifier.ts';
import { createCache } from '../cache/cache.ts';
import type { Config } from '../config.ts';
import { createKubeClient } from '../kube/client.ts';
import { createInformer } from '../kube/informer.ts';
import {
  leanNamespace,
  NAMESPACES,
  type Namespace,
  namespaceOfCustomer,
} from '../resources/namespace-binding.ts';
import { createCommittedRunsListener } from '../store/committed-runs-listener.ts';
import { createDatabase } from '../store/database.ts';
import { createLogger } from '../telemetry/logger.ts';
import { createMetrics } from '../telemetry/metrics.ts';
import { observeCache, observeDatabase, observeInformer, observeKubeClient } from '../telemetry/observers.ts';
import { createTracer } from '../telemetry/tracer.ts';
import { kubeSource } from './kube-source.ts';
import { databaseHealth, kubernetesHealth, redisHealth } from './process-health.ts';
import type { RunningProcess } from './running-process.ts';
import { readTokenIssuers } from './token-issuers.ts';
import { readVersion } from './version.ts';

/** For the namespaces of a cluster that answers; a replica that does not know them yet would keep its first stores in the inbox. */
const SYNC_MS = 2_000;

/**
 * Starts an API replica. It starts whatever is down around it, says so in `/health`, and answers 503 to what needs it.
 */
export async function startApi(
  config: Config,
  logger: Logger = createLogger({ name: 'api', level: config.logLevel }),
): Promise<RunningProcess> {
  const metrics = createMetrics({ defaultMetrics: true });
  const tokens = createTokenVerifier(await readTokenIssuers(config));
  await using opened = new AsyncDisposableStack();

  const tracer = await createTracer({
    ...config.traces,
    serviceName: 'phaserun-api',
    serviceVersion: readVersion(),
    instance: config.podName ?? hostname(),
    logger,
  });
  opened.defer(() => tracer.close());

  const database = await createDatabase({
    url: config.databaseUrl,
    poolMax: config.databasePoolMax,
    statementTimeoutMs: ANSWER_MS,
    applicationName: 'phaserun-api',
    logger,
    observer: observeDatabase(metrics),
  });
  opened.defer(() => database.close());
  metrics.postgres.watchPool(() => database.connections());
  if (database.state() !== 'disabled')
    metrics.postgres.watchConnection(() => database.state() === 'connected');
  const cache = createCache({ url: config.redisUrl, logger, observer: observeCache(metrics) });
  opened.defer(() => cache.close());
  if (cache.state() !== 'disabled') metrics.redis.watchConnection(() => cache.state() === 'connected');
  const committedRuns = createCommittedRunsListener({
    url: config.databaseUrl,
    pool: database.pool,
    applicationName: 'phaserun-api-listen',
    logger,
  });
  opened.defer(() => committedRuns.close());
  const kubernetes = createKubeClient(kubeSource(config), { logger, observer: observeKubeClient(metrics) });
  opened.defer(() => kubernetes.close());
  const namespaces = createInformer<Namespace, Namespace>({
    resource: kubernetes.resource<Namespace>(NAMESPACES),
    transform: leanNamespace,
    logger,
    observer: observeInformer(metrics, NAMESPACES.plural),
  });
  namespaces.start();
  opened.defer(() => namespaces.stop());

  let draining = false;
  const app = buildApp({
    version: readVersion(),
    logger,
    metrics,
    tracer,
    exposeMetrics: config.prometheusMetrics,
    health: {
      database: databaseHealth(config, database),
      redis: redisHealth(cache),
      kubernetes: kubernetesHealth(kubernetes),
      isDraining: () => draining,
    },
    database,
    cache,
    committedRuns,
    kubernetes,
    tokens,
    inbox: config.inbox,
    idempotency: config.idempotency,
    limits: config.limits,
    unarchived: config.unarchived,
    auditReads: config.auditReads,
    webhooks: config.webhooks,
    namespaceOf(customerId) {
      // Before the first sync a customer's namespace is not known, and its runs must not land in another.
      if (!namespaces.hasSynced()) return undefined;
      return namespaceOfCustomer(namespaces.list(), customerId) ?? config.namespace;
    },
  });
  opened.defer(() => app.close());
  await namespaces.waitForSync(AbortSignal.timeout(SYNC_MS)).catch(() => {
    logger.warn({}, 'the namespaces are not known yet: results wait in the inbox until they are');
  });
  const url = await app.listen({ host: config.host, port: config.port });
  logger.info({ url }, 'api started');
  const running = opened.move();
  return {
    url,
    async close() {
      draining = true;
      await running.disposeAsync();
    },
  };
}
