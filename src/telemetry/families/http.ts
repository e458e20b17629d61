import { Counter, Gauge, Histogram, type Registry } from 'prom-client';

const LABELS = ['method', 'route', 'status'] as const;

/** What the HTTP server does; `route` is the pattern, never the path, so that the series are bounded. */
export function createHttpMetrics(registry: Registry) {
  const registers = [registry];
  return {
    requests: new Counter({
      name: 'http_requests_total',
      help: 'HTTP requests answered, by method, route pattern and status code.',
      labelNames: LABELS,
      registers,
    }),
    duration: new Histogram({
      name: 'http_request_duration_milliseconds',
      help: 'Milliseconds from the head of a request to the last byte of its answer.',
      labelNames: LABELS,
      buckets: [1, 2.5, 5, 10, 25, 50, 100, 250, 500, 1_000, 2_500, 5_000, 10_000],
      registers,
    }),
    inFlight: new Gauge({
      name: 'http_requests_in_flight',
      help: 'HTTP requests that are being worked on.',
      registers,
    }),
  };
}
