import type { Alert } from '../alert.ts';
import { foreignMetric, metric } from '../metric.ts';
import { all, any } from '../promql.ts';

const KUBERNETES = metric('rest_client_requests_total');
const KUBERNETES_FAILED = metric('rest_client_requests_total', { code: /error|5../ });

const VOLUMES = 'persistentvolumeclaim=~".*(phaserun|postgres).*"';
const FREE = foreignMetric('kubelet_volume_stats_available_bytes', VOLUMES);
const CAPACITY = foreignMetric('kubelet_volume_stats_capacity_bytes', VOLUMES);

const stored = (ago: string) => `sum(max by (table) (${metric('phaserun_stored_bytes')}${ago}))`;

/** What PhaseRun stands on. */
export const DEPENDENCY_ALERTS: readonly Alert[] = [
  {
    name: 'DatabaseUnreachable',
    severity: 'critical',
    // A controller that does not lead may want nothing of Postgres, and cannot tell.
    expr: any(
      `max by (job) (${metric('phaserun_store_postgres_away')}) == 1`,
      `max by (job) (${metric('phaserun_postgres_connected')}) == 0`,
    ),
    for: '1m',
    summary: 'Postgres cannot be reached',
    description:
      '{{ $labels.job }} cannot reach Postgres (connected: 0, stores go on without it: 1; this is {{ $value }}). Stores wait in etcd, reads fail.',
  },
  {
    name: 'PostgresPoolExhausted',
    severity: 'warning',
    expr: `max by (job, instance) (${metric('phaserun_postgres_pool_connections', { state: 'waiting' })}) > 0`,
    for: '10m',
    summary: 'Callers wait for connections to Postgres',
    description: '{{ $value }} callers in {{ $labels.instance }} wait for a connection of the pool.',
  },
  {
    name: 'KubernetesApiUnreachable',
    severity: 'critical',
    expr: all(
      `sum(increase(${KUBERNETES_FAILED}[5m])) / sum(increase(${KUBERNETES}[5m])) > 0.5`,
      `sum(increase(${KUBERNETES}[5m])) >= 10`,
    ),
    for: '2m',
    summary: 'The Kubernetes API cannot be reached',
    description:
      '{{ $value | humanizePercentage }} of the calls to the Kubernetes API failed in the last 5 minutes. Stores wait in the inbox.',
  },
  {
    name: 'RedisUnreachable',
    severity: 'warning',
    expr: `min by (job, instance) (${metric('phaserun_redis_connected')}) == 0`,
    for: '5m',
    summary: 'Redis cannot be reached',
    description:
      '{{ $labels.instance }} is connected to Redis: {{ $value }}. Requests go on; limits count for each replica by itself.',
  },
  {
    name: 'StorageGrowthHigh',
    severity: 'warning',
    expr: all(
      `(${stored('')} - ${stored(' offset 1d')}) > 3 * (${stored(' offset 1d')} - ${stored(' offset 8d')}) / 7`,
      `(${stored('')} - ${stored(' offset 1d')}) > 1e9`,
    ),
    for: '1h',
    summary: 'The database grows faster than it did',
    description:
      'The tables grew by {{ $value | humanize1024 }}B in 24 h, over three times the average of the week before.',
  },
  {
    name: 'VolumeFillingUp',
    severity: 'critical',
    expr: any(
      `${FREE} / ${CAPACITY} < 0.05`,
      `(${FREE} / ${CAPACITY} < 0.25 and predict_linear(${FREE}[6h], 2 * 86400) < 0)`,
    ),
    for: '15m',
    summary: 'A volume of the database is nearly full',
    description:
      '{{ $value | humanizePercentage }} of {{ $labels.persistentvolumeclaim }} is free, and it is full within 2 days.',
  },
];
