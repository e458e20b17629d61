import { Counter, Gauge, type Registry } from 'prom-client';
import { zeroCounter } from '../zero-series.ts';

/** What retention takes away. */
export const RETENTION_KINDS = [
  'executions',
  'payloads',
  'duplicates',
  'sessions',
  'tasks',
  'approvals',
  'quarantined',
  'tombstones',
] as const;
export type RetentionKind = (typeof RETENTION_KINDS)[number];

/** What the leader took away for its age. */
export function createRetentionMetrics(registry: Registry) {
  const registers = [registry];
  const labelNames = ['kind'] as const;
  const removed = new Counter({
    name: 'phaserun_retention_removed_rows_total',
    help: 'Rows that were deleted for their age, by kind; of payloads: rows that lost their data alone.',
    labelNames,
    registers,
  });
  zeroCounter(removed, { kind: RETENTION_KINDS });
  return {
    removed,
    lastSuccess: new Gauge({
      name: 'phaserun_retention_last_success_timestamp_seconds',
      help: 'Unix time at which what was too old was last taken away without a failure, by kind.',
      labelNames,
      registers,
    }),
    oldestExecutionAge: new Gauge({
      name: 'phaserun_retention_oldest_execution_age_seconds',
      help: 'Age of the oldest execution row, held ones and those that are kept for ever included; 0 without one.',
      registers,
    }),
  };
}
