import { Counter, Histogram, type Registry } from 'prom-client';

/** Calls to the Kubernetes API; `code` is the HTTP status, or `error` when none came. */
export function createKubernetesClientMetrics(registry: Registry) {
  const registers = [registry];
  return {
    requests: new Counter({
      name: 'rest_client_requests_total',
      help: 'Requests to the Kubernetes API, by verb and status code.',
      labelNames: ['verb', 'code'] as const,
      registers,
    }),
    duration: new Histogram({
      name: 'rest_client_request_duration_seconds',
      help: 'Seconds until the Kubernetes API answered, by verb.',
      labelNames: ['verb'] as const,
      buckets: [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30],
      registers,
    }),
  };
}
