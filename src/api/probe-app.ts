import { type FastifyBaseLogger, type FastifyInstance, fastify, LogController } from 'fastify';
import { serializerCompiler, validatorCompiler } from 'fastify-type-provider-zod';
import type { Metrics } from '../telemetry/metrics.ts';
import { useProblems } from './plugins/problem.ts';
import { type HealthDependencies, registerHealth } from './routes/health.ts';
import { registerMetrics } from './routes/metrics.ts';

export interface ProbeAppDependencies {
  readonly version: string;
  readonly logger: FastifyBaseLogger;
  readonly metrics: Metrics;
  /** Whether `/metrics` is served. */
  readonly exposeMetrics: boolean;
  readonly health: Omit<HealthDependencies, 'version'>;
}

/** Health and metrics of a process that serves nothing else: the controller. */
export function buildProbeApp({
  logger,
  version,
  health,
  metrics,
  exposeMetrics,
}: ProbeAppDependencies): FastifyInstance {
  const app = fastify({
    loggerInstance: logger,
    logController: new LogController({ disableRequestLogging: true }),
    forceCloseConnections: true,
    pluginTimeout: 0,
  });
  metrics.build.info.set({ version, node: process.version }, 1);
  app.setValidatorCompiler(validatorCompiler);
  app.setSerializerCompiler(serializerCompiler);
  useProblems(app);
  registerHealth(app, { ...health, version });
  if (exposeMetrics) registerMetrics(app, metrics);
  return app;
}
