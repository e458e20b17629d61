import { Counter, Gauge, Histogram, type Registry } from 'prom-client';
import { zeroCounter, zeroHistogram } from '../zero-series.ts';

/** Round trips to Redis, by what they are for. */
export const REDIS_COMMANDS = ['ping', 'claim', 'keep', 'release', 'count'] as const;

/** What is asked of Redis, and whether there is one. */
export function createRedisMetrics(registry: Registry) {
  const registers = [registry];
  let state: (() => boolean) | undefined;
  const duration = new Histogram({
    name: 'phaserun_redis_command_duration_seconds',
    help: 'Seconds that a round trip to Redis takes, by what it is for.',
    labelNames: ['command'] as const,
    buckets: [0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5],
    registers,
  });
  const errors = new Counter({
    name: 'phaserun_redis_command_errors_total',
    help: 'Round trips to Redis that failed, by what they were for. The work goes on without Redis.',
    labelNames: ['command'] as const,
    registers,
  });
  const connected = new Gauge({
    name: 'phaserun_redis_connected',
    help: 'Whether Redis is connected; absent where none is configured.',
    registers,
    collect() {
      if (state !== undefined) connected.set(state() ? 1 : 0);
    },
  });
  connected.remove();
  zeroHistogram(duration, { command: REDIS_COMMANDS });
  zeroCounter(errors, { command: REDIS_COMMANDS });
  return {
    duration,
    errors,
    /** Asks at every scrape whether Redis is connected. */
    watchConnection(isConnected: () => boolean): void {
      state = isConnected;
    },
  };
}
