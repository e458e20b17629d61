import type { Alert } from '../alert.ts';
import { metric } from '../metric.ts';
import { all, last, total } from '../promql.ts';

const ROUTE = { method: 'POST', route: '/api/v1/phases/store' } as const;
const STORES = metric('http_requests_total', ROUTE);
/** A store that is turned away for want of a dependency is one, too: the runner has to come again. */
const REFUSED = metric('http_requests_total', { ...ROUTE, status: /5../ });

/** Of all stores 99.9 % are answered, over 30 days. */
const BUDGET = 0.001;

/** Both windows: the long one that it matters, the short one that it goes on. */
const burns = (times: number, long: string, short: string) =>
  all(
    ...[long, short].map(
      (window) => `${total(REFUSED, last(window))} / ${total(STORES, last(window))} > ${times} * ${BUDGET}`,
    ),
    `${total(STORES, last(long))} >= 100`,
  );

const burnText = (window: string) =>
  `{{ $value | humanizePercentage }} of the stores of the last ${window} were answered with 5xx; the objective is 0.1 % in 30 days.`;

const LATENCY = metric('http_request_duration_milliseconds_bucket', ROUTE);

/** What runners feel. */
export const STORE_ALERTS: readonly Alert[] = [
  {
    name: 'ErrorBudgetBurn',
    severity: 'critical',
    labels: { window: '1h' },
    expr: burns(14.4, '1h', '5m'),
    for: '2m',
    summary: 'Stores fail so often that the error budget of a month is gone in 2 days',
    description: burnText('hour'),
  },
  {
    name: 'ErrorBudgetBurn',
    severity: 'warning',
    labels: { window: '6h' },
    expr: burns(6, '6h', '30m'),
    for: '15m',
    summary: 'Stores fail so often that the error budget of a month is gone in 5 days',
    description: burnText('6 hours'),
  },
  {
    name: 'StoreLatencyHigh',
    severity: 'warning',
    expr: all(
      `histogram_quantile(0.95, sum by (le) (rate(${LATENCY}[10m]))) / 1000 > 1`,
      `${total(STORES, last('10m'))} >= 50`,
    ),
    for: '10m',
    summary: 'Stores are answered slowly',
    description: '5 % of the stores of the last 10 minutes took longer than {{ $value | humanizeDuration }}.',
  },
  {
    name: 'StoresRefused',
    severity: 'critical',
    expr: `sum(increase(${metric('phaserun_store_refused_without_postgres_total')}[5m])) + sum(increase(${metric('phaserun_inbox_full_total')}[5m])) > 0`,
    summary: 'Results are not taken in because Postgres or Kubernetes is away',
    description:
      'About {{ $value | printf "%.0f" }} stores of the last 5 minutes were answered 503: the caller is not known, or what waits has reached its bound.',
  },
  {
    name: 'InboxGrowing',
    severity: 'warning',
    expr: `max(${metric('phaserun_inbox_oldest_age_seconds')}) > 300`,
    for: '5m',
    summary: 'Results wait in the inbox',
    description:
      'The oldest result in the inbox has waited for {{ $value | humanizeDuration }} to become a PhaseRun.',
  },
  {
    name: 'PhaseRunsNotArchived',
    severity: 'warning',
    expr: `max(${metric('phaserun_store_unarchived_phaseruns')}) > 0`,
    for: '10m',
    summary: 'PhaseRuns do not become rows',
    description: '{{ $value }} PhaseRuns are acknowledged and not archived: etcd alone keeps them.',
  },
  {
    name: 'RequestsShed',
    severity: 'warning',
    expr: `sum by (pressure) (increase(${metric('phaserun_shed_requests_total')}[10m])) > 10`,
    for: '5m',
    summary: 'The API turns requests away under load',
    description:
      'About {{ $value | printf "%.0f" }} requests were turned away in 10 minutes; what was under pressure is {{ $labels.pressure }}.',
  },
];
