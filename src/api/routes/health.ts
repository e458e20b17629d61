import type { FastifyInstance } from 'fastify';
import type { ZodTypeProvider } from 'fastify-type-provider-zod';
import { z } from 'zod';
import { resultWithin } from '../deadline.ts';
import { jsonResponse } from '../json-response.ts';

/** `disabled`: not configured; `disconnected`: configured, and did not answer in time. */
const CONNECTION_STATES = ['connected', 'disabled', 'disconnected'] as const;
export type ConnectionState = (typeof CONNECTION_STATES)[number];

/** A store that this process depends on, as its health sees it. */
export interface Dependency {
  /** Asks the store whether it answers; rejects when it does not. */
  ping(signal: AbortSignal): Promise<unknown>;
}

export interface HealthDependencies {
  readonly version: string;
  /** Undefined: not configured. */
  readonly database: Dependency | undefined;
  readonly redis: Dependency | undefined;
  readonly kubernetes: Dependency | undefined;
  /** Whether this process has begun to stop: it is alive, and takes no new work. */
  isDraining(): boolean;
}

/** How long a store may take to answer before it counts as disconnected. */
const PING_TIMEOUT_MS = 1_000;

const connection = z.enum(CONNECTION_STATES);

const healthSchema = z
  .object({
    status: z
      .enum(['healthy', 'degraded'])
      .describe('degraded: something configured does not answer, or a store is missing.'),
    version: z.string(),
    database: connection,
    redis: connection,
    kubernetes: connection,
  })
  .meta({ id: 'Health' });

const statusSchema = z.object({ status: z.literal('ok'), version: z.string() });
const probeSchema = z.object({ status: z.enum(['ok', 'draining']) });

/**
 * Liveness, readiness and health; all public. `/livez` says that the process runs, whatever is down around it: a
 * restart mends no store. `/readyz` says whether to send it work. `/health` always answers 200 and says
 * what is connected.
 */
export function registerHealth(instance: FastifyInstance, deps: HealthDependencies): void {
  const app = instance.withTypeProvider<ZodTypeProvider>();
  const tags = ['health'];

  app.get(
    '/livez',
    {
      schema: {
        operationId: 'getLiveness',
        summary: 'Whether the process runs',
        tags,
        response: { 200: jsonResponse('It does.', probeSchema) },
      },
    },
    () => ({ status: 'ok' as const }),
  );

  app.get(
    '/readyz',
    {
      schema: {
        operationId: 'getReadiness',
        summary: 'Whether to send requests here',
        tags,
        response: {
          200: jsonResponse('Send them.', probeSchema),
          503: jsonResponse('The process is about to stop.', probeSchema),
        },
      },
    },
    (_request, reply) => {
      const isDraining = deps.isDraining();
      reply.code(isDraining ? 503 : 200);
      return { status: isDraining ? ('draining' as const) : ('ok' as const) };
    },
  );

  app.get(
    '/health',
    {
      schema: {
        operationId: 'getHealth',
        summary: 'What this process is connected to',
        tags,
        response: { 200: jsonResponse('What it is connected to.', healthSchema) },
      },
    },
    () => checkHealth(deps),
  );

  app.get(
    '/status',
    {
      schema: {
        operationId: 'getStatus',
        summary: 'Which version is running',
        tags,
        response: { 200: jsonResponse('The version.', statusSchema) },
      },
    },
    () => ({ status: 'ok' as const, version: deps.version }),
  );
}

async function checkHealth(deps: HealthDependencies): Promise<z.infer<typeof healthSchema>> {
  const [database, redis, kubernetes] = await Promise.all([
    stateOf(deps.database),
    stateOf(deps.redis),
    stateOf(deps.kubernetes),
  ]);
  // Redis is a shortcut, and may be left out; without one of the other two nothing can be stored.
  const isHealthy = database === 'connected' && kubernetes === 'connected' && redis !== 'disconnected';
  return { status: isHealthy ? 'healthy' : 'degraded', version: deps.version, database, redis, kubernetes };
}

async function stateOf(dependency: Dependency | undefined): Promise<ConnectionState> {
  if (dependency === undefined) return 'disabled';
  const signal = AbortSignal.timeout(PING_TIMEOUT_MS);
  const answered = dependency.ping(signal).then(
    () => true,
    () => false,
  );
  return (await resultWithin(PING_TIMEOUT_MS, answered)) === true ? 'connected' : 'disconnected';
}
