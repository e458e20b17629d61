import { type FastifyBaseLogger, type FastifyInstance, fastify, LogController } from 'fastify';
import { serializerCompiler, validatorCompiler } from 'fastify-type-provider-zod';
import type { Logger } from 'pino';
import type { Cache } from '../cache/cache.ts';
import type { KubeClient } from '../kube/client.ts';
import { createPhaseRunWriter } from '../kube/phase-run-writer.ts';
import type { Database } from '../store/database.ts';
import type { Metrics } from '../telemetry/metrics.ts';
import type { Tracer } from '../telemetry/tracer.ts';
import { ANSWER_MS } from './in-time.ts';
import { useAudit } from './plugins/audit.ts';
import { useAuthentication } from './plugins/authentication.ts';
import { useJsonBodies } from './plugins/body-parser.ts';
import { useDrain } from './plugins/drain.ts';
import { useHttpMetrics } from './plugins/http-metrics.ts';
import { useIdempotency } from './plugins/idempotency.ts';
import { useKeyUsage } from './plugins/key-usage.ts';
import { type LoadLimits, useLoadShedding } from './plugins/load-shedding.ts';
import { useOpenApi } from './plugins/openapi.ts';
import { type Outage, type OutageDependencies, useOutage } from './plugins/outage.ts';
import { answerClientError, answerFrameworkError, useProblems } from './plugins/problem.ts';
import { type RateLimits, useRateLimits } from './plugins/rate-limit.ts';
import { requestIdOf, useRequestContext } from './plugins/request-context.ts';
import { ReadShare, type ReadShareLimits } from './read-share.ts';
import { registerAgents } from './routes/agents.ts';
import { type HealthDependencies, registerHealth } from './routes/health.ts';
import { registerIndex } from './routes/index.ts';
import { registerMetrics } from './routes/metrics.ts';
import { registerPhaseData } from './routes/phase-data.ts';
import { registerRetrieve } from './routes/phases-retrieve.ts';
import { registerStore } from './routes/phases-store.ts';
import { registerWebhooks, type WebhookRouteDependencies } from './routes/webhooks.ts';
import type { StoreDependencies } from './store-or-keep.ts';
import type { StoreRunDependencies } from './store-run.ts';
import type { TokenVerifier } from './tokens/token-verifier.ts';

export interface AppDependencies {
  readonly version: string;
  readonly logger: Logger;
  readonly metrics: Metrics;
  readonly tracer: Tracer;
  /** Whether `/metrics` is served. */
  readonly exposeMetrics: boolean;
  readonly health: Omit<HealthDependencies, 'version'>;
  /** Answers `unavailable` at once while it is away. */
  readonly database: Database;
  /** In front of the database; everything works without it. */
  readonly cache: Cache;
  readonly committedRuns: StoreRunDependencies['committedRuns'];
  readonly kubernetes: KubeClient;
  readonly namespaceOf: StoreRunDependencies['namespaceOf'];
  /** Says whom tokens (JWT) speak for; without an issuer it refuses them all. */
  readonly tokens: TokenVerifier;
  /** How much is kept for Kubernetes while it is away. */
  readonly inbox: StoreDependencies['inbox'];
  readonly idempotency: { readonly enabled: boolean; readonly ttlSeconds: number };
  readonly limits: RateLimits & LoadLimits;
  /** How much may wait to become rows. */
  readonly unarchived: OutageDependencies['unarchived'];
  /** Whether successful reads are noted for the audit. */
  readonly auditReads: boolean;
  readonly webhooks: WebhookRouteDependencies['webhooks'];
}

const MIB = 1024 * 1024;
/** Reads of one customer that wait for their turn: a part of the requests that a replica takes on. */
const READS_WAITING = 250;

/** Headers have to arrive within this, and the whole request within the next: slow clients hold no sockets for ever. */
const HEADERS_TIMEOUT_MS = 15_000;
const REQUEST_TIMEOUT_MS = 60_000;
/** How often Node looks for those that took longer. */
const TIMEOUT_CHECK_MS = 5_000;
/** Longer than load balancers keep idle connections (60 s), so that they close first and never meet a closed one. */
const KEEP_ALIVE_MS = 72_000;

/** Builds the HTTP server; it listens to nothing yet. What it is given it uses, and does not close. */
export function buildApp(deps: AppDependencies): FastifyInstance {
  const loggerInstance: FastifyBaseLogger = deps.logger;
  const app = fastify({
    loggerInstance,
    logController: new LogController({ disableRequestLogging: true, requestIdLogLabel: 'requestId' }),
    genReqId: requestIdOf,
    bodyLimit: MIB,
    // On a starved node starting takes its time; ten seconds by default ended the process, which then began anew. Probes decide.
    pluginTimeout: 0,
    requestTimeout: REQUEST_TIMEOUT_MS,
    keepAliveTimeout: KEEP_ALIVE_MS,
    http: {
      headersTimeout: HEADERS_TIMEOUT_MS,
      connectionsCheckingInterval: TIMEOUT_CHECK_MS,
      // Node would refuse what has no Host with an empty body; `useProblems` refuses it with a problem.
      requireHostHeader: false,
    },
    // A request that arrives on an open connection while the server closes is served, and the connection closed:
    // runners do not retry.
    return503OnClosing: false,
    forceCloseConnections: 'idle',
    frameworkErrors: answerFrameworkError,
    clientErrorHandler: answerClientError,
    routerOptions: { ignoreTrailingSlash: true, ignoreDuplicateSlashes: true, maxParamLength: 1_024 },
  });
  deps.metrics.build.info.set({ version: deps.version, node: process.version }, 1);
  app.setValidatorCompiler(validatorCompiler);
  app.setSerializerCompiler(serializerCompiler);
  useDrain(app);
  useRequestContext(app, deps);
  useHttpMetrics(app, deps.metrics);
  useProblems(app);
  useLoadShedding(app, deps);
  useJsonBodies(app);
  useAuthentication(app, deps);
  const outage = useOutage(app, deps);
  useRateLimits(app, { ...deps, ...outage });
  useIdempotency(app, { ...deps, ...deps.idempotency });
  useKeyUsage(app, deps);
  useAudit(app, deps);
  // What comes after sees every route, so it is registered before them.
  app.register((scope) => registerAll(scope, { ...deps, outage }));
  return app;
}

async function registerAll(
  app: FastifyInstance,
  deps: AppDependencies & { readonly outage: Outage },
): Promise<void> {
  await useOpenApi(app, deps);
  registerIndex(app, deps);
  registerHealth(app, { ...deps.health, version: deps.version });
  if (deps.exposeMetrics) registerMetrics(app, deps.metrics);
  const reading = { ...deps, reads: new ReadShare(shareOf(deps.database)) };
  const storing = { ...deps, phaseRuns: createPhaseRunWriter(deps.kubernetes) };
  registerStore(app, storing);
  registerRetrieve(app, deps);
  registerAgents(app, reading);
  registerPhaseData(app, storing);
  registerWebhooks(app, reading);
}

/** Whatever one customer reads, half of the connections are there for others. */
function shareOf({ poolMax }: Database): ReadShareLimits {
  return { atOnce: Math.max(1, Math.floor(poolMax / 2)), waiting: READS_WAITING, waitMs: ANSWER_MS };
}
