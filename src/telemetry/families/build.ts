import { Gauge, type Registry } from 'prom-client';

/** What is running. */
export function createBuildMetrics(registry: Registry) {
  return {
    info: new Gauge({
      name: 'phaserun_build_info',
      help: 'Always 1; the labels say which version of the program and of Node is running.',
      labelNames: ['version', 'node'] as const,
      registers: [registry],
    }),
  };
}
