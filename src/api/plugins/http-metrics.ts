import type { FastifyInstance } from 'fastify';
import type { Metrics } from '../../telemetry/metrics.ts';

/** Asked every few seconds by machines; of no interest in a log or a trace. */
export const PROBES: ReadonlySet<string> = new Set(['/livez', '/readyz', '/metrics']);

/** Counts and times every request, and writes one log line for each, under its route pattern. */
export function useHttpMetrics(app: FastifyInstance, { http }: Pick<Metrics, 'http'>): void {
  app.addHook('onRequest', (_request, reply, done) => {
    http.inFlight.inc();
    // onResponse does not come for a client that hangs up first.
    reply.raw.once('close', () => http.inFlight.dec());
    done();
  });
  app.addHook('onResponse', (request, reply, done) => {
    const route = request.routeOptions.url ?? 'unmatched';
    const labels = { method: request.method, route, status: String(reply.statusCode) };
    http.requests.inc(labels);
    http.duration.observe(labels, reply.elapsedTime);
    const level = PROBES.has(route) ? 'debug' : 'info';
    request.log[level](
      { ...labels, durationMs: Math.round(reply.elapsedTime * 100) / 100 },
      'request answered',
    );
    done();
  });
}
