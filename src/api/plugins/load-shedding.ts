import { monitorEventLoopDelay } from 'node:perf_hooks';
import type { FastifyInstance, FastifyRequest } from 'fastify';
import type { Metrics } from '../../telemetry/metrics.ts';
import { ProblemError } from '../problem.ts';

/** How much work is taken on. */
export interface LoadLimits {
  /** Requests at once. */
  readonly requestsInFlight: number;
  /** How late the event loop may be on average over a second. */
  readonly eventLoopDelayMs: number;
}

export interface LoadSheddingDependencies {
  readonly metrics: Pick<Metrics, 'limits'>;
  readonly limits: LoadLimits;
}

/** What tells how this process fares is answered whatever its load: a probe that fails would only get it killed. */
const EXEMPT: ReadonlySet<string> = new Set(['/livez', '/readyz', '/health', '/status', '/metrics']);

const RESOLUTION_MS = 20;
const SAMPLE_MS = 1_000;

/** Work is to be sent elsewhere, or to come again when this process has caught up. */
const RETRY_AFTER_SECONDS = 2;

/**
 * Turns requests away, before anything is done for them, while there are too many at once or the event loop is late: those that
 * are in hand are finished in time, instead of all of them too late.
 */
export function useLoadShedding(app: FastifyInstance, { metrics, limits }: LoadSheddingDependencies): void {
  const lateness = monitorLateness();
  const counted = new WeakSet<FastifyRequest>();
  let inFlight = 0;

  app.addHook('onRequest', (request, _reply, done) => {
    if (EXEMPT.has(request.routeOptions.url ?? '')) return done();
    const pressure = pressureOf(inFlight, lateness.meanMs());
    if (pressure !== undefined) {
      metrics.limits.shed.inc({ pressure });
      return done(overloaded());
    }
    inFlight += 1;
    counted.add(request);
    done();
  });
  // The work is done by now, also when the client has gone away meanwhile.
  app.addHook('onSend', (request, _reply, payload, done) => {
    if (counted.delete(request)) inFlight -= 1;
    done(null, payload);
  });
  // Starting keeps the loop from its timers too, which says nothing of the load.
  app.addHook('onListen', () => lateness.restart());
  app.addHook('onClose', () => lateness.stop());

  /** A request that comes alone is taken, however late the loop was: there is nothing in hand to be finished first. */
  function pressureOf(requests: number, lateMs: number): 'in_flight' | 'event_loop' | undefined {
    if (requests >= limits.requestsInFlight) return 'in_flight';
    return requests > 0 && lateMs > limits.eventLoopDelayMs ? 'event_loop' : undefined;
  }
}

/** How late timers were over the last second. */
function monitorLateness() {
  const delays = monitorEventLoopDelay({ resolution: RESOLUTION_MS });
  delays.enable();
  let meanMs = 0;
  const timer = setInterval(() => {
    meanMs = delays.count === 0 ? 0 : delays.mean / 1e6 - RESOLUTION_MS;
    delays.reset();
  }, SAMPLE_MS);
  timer.unref();
  return {
    meanMs: () => meanMs,
    restart(): void {
      meanMs = 0;
      delays.reset();
    },
    stop(): void {
      clearInterval(timer);
      delays.disable();
    },
  };
}

function overloaded(): ProblemError {
  return new ProblemError('OVERLOADED', 'This replica has more to do than it can; try again later', {
    headers: { 'retry-after': String(RETRY_AFTER_SECONDS) },
  });
}
