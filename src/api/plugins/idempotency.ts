import type { FastifyInstance } from 'fastify';
import type { Database } from '../../store/database.ts';
import type { Metrics } from '../../telemetry/metrics.ts';
import type { GuardDependencies } from '../idempotency-guard.ts';

declare module 'fastify' {
  interface FastifyInstance {
    /** What `runIdempotently` works with. */
    idempotency: IdempotencyDependencies;
  }
  interface FastifyRequest {
    /** The body as it was sent, before the route's schema has taken from it what it does not know. */
    sentBody: unknown;
  }
}

export interface IdempotencyDependencies extends GuardDependencies {
  readonly database: Pick<Database, 'pool'>;
  readonly metrics: Pick<Metrics, 'limits' | 'store'>;
  /** Whether keys are heeded; where a route requires one it is required all the same. */
  readonly enabled: boolean;
}

/** Lets routes be run once for each Idempotency-Key. */
export function useIdempotency(app: FastifyInstance, dependencies: IdempotencyDependencies): void {
  app.decorate('idempotency', dependencies);
  app.decorateRequest('sentBody', null);
  app.addHook('preValidation', (request, _reply, done) => {
    request.sentBody = request.body;
    done();
  });
}
