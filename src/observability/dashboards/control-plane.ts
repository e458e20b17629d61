import { DashboardBuilder, DashboardCursorSync } from '@grafana/grafana-foundation-sdk/dashboard';
import {
  BytesIEC,
  Milliseconds,
  PercentUnit,
  RequestsPerSecond,
  Seconds,
  Short,
} from '@grafana/grafana-foundation-sdk/units';
import { type LabelName, metric } from '../metric.ts';
import { ofLeader, sumBy } from '../promql.ts';
import { addPanels, type PanelOf, timeSeries } from './panels.ts';
import { over, PROMETHEUS, prometheusVariable } from './prometheus-query.ts';

/** How often a second. */
const rate = (selector: string, by: readonly LabelName[] = []) =>
  `${sumBy(by)}(rate(${selector}[$__rate_interval]))`;

/** What 95 % were under, in the unit of the histogram. */
const p95 = (buckets: string, by: readonly LabelName[] = []) =>
  `histogram_quantile(0.95, ${rate(buckets, ['le', ...by])})`;

const max = (expression: string, by: readonly LabelName[] = []) =>
  by.length === 0 ? `max(${expression})` : `max by (${by.join(', ')}) (${expression})`;

const age = (timestamp: string) => `time() - ${timestamp}`;

const REQUESTS = metric('http_requests_total');
const REQUEST_MS = metric('http_request_duration_milliseconds_bucket');
const FAILED_REQUESTS = metric('http_requests_total', { status: /5../ });
const STORES = { method: 'POST', route: '/api/v1/phases/store' } as const;
const QUEUE = { name: 'phaserun' } as const;
const CONTROLLER = { controller: 'phaserun' } as const;
const LEADER = metric('leader_election_master_status', { name: 'phaserun-controller' });

const API: readonly PanelOf[] = [
  timeSeries(
    {
      title: 'Requests',
      description: 'Requests that the API answered in a second, by route.',
      unit: RequestsPerSecond,
    },
    over(rate(REQUESTS, ['route']), '{{route}}'),
  ),
  timeSeries(
    {
      title: 'Failed requests',
      description:
        'Share of the requests that were answered with 5xx; the budget of stores is 0.1 % in 30 days.',
      unit: PercentUnit,
    },
    over(`(${rate(FAILED_REQUESTS)} or vector(0)) / ${rate(REQUESTS)}`, 'all'),
    over(
      `(${rate(metric('http_requests_total', { ...STORES, status: /5../ }))} or vector(0)) / ${rate(metric('http_requests_total', STORES))}`,
      'store',
    ),
  ),
  timeSeries(
    {
      title: 'Duration of requests',
      description: '95 % of the requests were answered within this time, by route.',
      unit: Milliseconds,
    },
    over(p95(REQUEST_MS, ['route']), '{{route}}'),
  ),
  timeSeries(
    {
      title: 'Stages of a store',
      description: 'What 95 % of the stores took for each stage; wait is for the row, and ends after 5 s.',
      unit: Seconds,
    },
    over(p95(metric('phaserun_store_stage_duration_seconds_bucket'), ['stage']), '{{stage}}'),
  ),
  timeSeries(
    {
      title: 'Acknowledged stores',
      description:
        'Stores answered with 2xx in a second, by where the result was durable: all but row say that something was slow or away.',
      unit: RequestsPerSecond,
    },
    over(rate(metric('phaserun_store_acknowledged_total'), ['durability']), '{{durability}}'),
  ),
  timeSeries(
    {
      title: 'Turned away',
      description:
        'Requests in a second that were over a limit, came under pressure, or had no good credentials.',
      unit: RequestsPerSecond,
    },
    over(rate(metric('phaserun_rate_limited_requests_total'), ['limit']), 'limit of {{limit}}'),
    over(rate(metric('phaserun_shed_requests_total'), ['pressure']), 'pressure: {{pressure}}'),
    over(
      rate(metric('phaserun_auth_outcomes_total', {}, { outcome: 'accepted' }), ['outcome']),
      'credentials: {{outcome}}',
    ),
  ),
];

const RECONCILES: readonly PanelOf[] = [
  timeSeries(
    {
      title: 'Reconciles',
      description: 'Slots that were worked on in a second, by how it ended; those that failed are retried.',
      unit: Short,
    },
    over(rate(metric('controller_runtime_reconcile_total', CONTROLLER), ['result']), '{{result}}'),
  ),
  timeSeries(
    {
      title: 'Reconcile errors',
      description: 'Reconciles that failed in a second. Over a tenth of all for 5 minutes an alert fires.',
      unit: Short,
    },
    over(rate(metric('controller_runtime_reconcile_errors_total', CONTROLLER)), 'errors'),
  ),
  timeSeries(
    {
      title: 'Duration of reconciles',
      description: 'What 95 % of the reconciles took, and how long 95 % of the slots waited before.',
      unit: Seconds,
    },
    over(p95(metric('controller_runtime_reconcile_time_seconds_bucket', CONTROLLER)), 'work'),
    over(p95(metric('workqueue_queue_duration_seconds_bucket', QUEUE)), 'wait'),
  ),
  timeSeries(
    {
      title: 'Queue depth',
      description:
        'Slots that wait for the controller, and statuses that wait while rows are written; 0 most of the time.',
      unit: Short,
    },
    over(`sum(${metric('workqueue_depth', QUEUE)})`, 'slots'),
    over(`sum(${metric('phaserun_waiting_statuses')})`, 'statuses'),
  ),
  timeSeries(
    {
      title: 'Age of the last event',
      description: 'Time since a watch last heard of anything, by process. Bookmarks come each minute or so.',
      unit: Seconds,
    },
    over(
      max(age(metric('phaserun_informer_last_event_timestamp_seconds')), ['instance', 'resource']),
      '{{instance}} {{resource}}',
    ),
  ),
  timeSeries(
    {
      title: 'Leader',
      description: 'Which controller leads. One is right; none archives nothing, two cannot write both.',
      unit: Short,
    },
    over(`sum by (instance) (${LEADER})`, '{{instance}}'),
  ),
  timeSeries(
    {
      title: 'Calls to Kubernetes',
      description: 'Requests to the Kubernetes API in a second, by status code; error is no answer.',
      unit: RequestsPerSecond,
    },
    over(rate(metric('rest_client_requests_total'), ['code']), '{{code}}'),
  ),
];

const DEPENDENCIES: readonly PanelOf[] = [
  timeSeries(
    {
      title: 'Postgres connections',
      description: 'Connections of all pools, by state, and the callers that wait for one.',
      unit: Short,
    },
    over(`${sumBy(['state'])}(${metric('phaserun_postgres_pool_connections')})`, '{{state}}'),
  ),
  timeSeries(
    {
      title: 'Duration of queries',
      description: 'What 95 % of the queries took, of the ten slowest, by the name of the query in the code.',
      unit: Seconds,
    },
    over(
      `topk(10, ${p95(metric('phaserun_postgres_query_duration_seconds_bucket'), ['query'])})`,
      '{{query}}',
    ),
  ),
  timeSeries(
    {
      title: 'Redis',
      description: 'What 95 % of the round trips took, by what they were for. Without Redis there is none.',
      unit: Seconds,
    },
    over(p95(metric('phaserun_redis_command_duration_seconds_bucket'), ['command']), '{{command}}'),
  ),
  timeSeries(
    {
      title: 'Redis errors',
      description:
        'Round trips in a second that failed, by what they were for; the work goes on without Redis.',
      unit: Short,
    },
    over(rate(metric('phaserun_redis_command_errors_total'), ['command']), '{{command}}'),
  ),
  timeSeries(
    {
      title: 'Inbox and outbox',
      description:
        'Results that wait for Kubernetes to be back, events that wait for their webhook, and PhaseRuns that wait for Postgres.',
      unit: Short,
    },
    over(max(metric('phaserun_inbox_runs')), 'inbox'),
    over(max(metric('phaserun_webhook_outbox_depth')), 'outbox'),
    over(max(metric('phaserun_store_unarchived_phaseruns')), 'not archived'),
  ),
  timeSeries(
    {
      title: 'Oldest in inbox and outbox',
      description: 'How long the oldest result and the oldest event have waited.',
      unit: Seconds,
    },
    over(max(metric('phaserun_inbox_oldest_age_seconds')), 'inbox'),
    over(max(metric('phaserun_webhook_outbox_oldest_age_seconds')), 'outbox'),
  ),
  timeSeries(
    {
      title: 'Webhook attempts',
      description: 'Attempts to deliver an event in a second, by how they ended.',
      unit: Short,
    },
    over(rate(metric('phaserun_webhook_deliveries_total'), ['outcome']), '{{outcome}}'),
  ),
];

const UPKEEP: readonly PanelOf[] = [
  timeSeries(
    {
      title: 'Since retention succeeded',
      description: 'Time since what was too old was last taken away without a failure, by kind.',
      unit: Seconds,
    },
    over(
      max(ofLeader(`(${age(metric('phaserun_retention_last_success_timestamp_seconds'))})`), ['kind']),
      '{{kind}}',
    ),
  ),
  timeSeries(
    {
      title: 'Rows taken away',
      description: 'Rows that went for their age in a second, by kind.',
      unit: Short,
    },
    over(rate(metric('phaserun_retention_removed_rows_total'), ['kind']), '{{kind}}'),
  ),
  timeSeries(
    {
      title: 'Stored bytes',
      description: 'Bytes of each table with its indexes, as the leader measures them every 5 minutes.',
      unit: BytesIEC,
    },
    over(max(metric('phaserun_stored_bytes'), ['table']), '{{table}}'),
  ),
  timeSeries(
    {
      title: 'Discrepancies',
      description:
        'PhaseRuns, rows and sessions that did not agree when the leader last looked, by kind; 0 is right.',
      unit: Short,
    },
    over(max(ofLeader(metric('phaserun_doctor_discrepancies')), ['kind']), '{{kind}}'),
  ),
  timeSeries(
    {
      title: 'Event loop lag',
      description: 'By how much 1 % of what a process does comes late, by process; over 1 s an alert fires.',
      unit: Seconds,
    },
    over(max(metric('nodejs_eventloop_lag_p99_seconds'), ['instance']), '{{instance}}'),
  ),
  timeSeries(
    { title: 'Memory', description: 'Resident memory of each process.', unit: BytesIEC },
    over(max(metric('process_resident_memory_bytes'), ['instance']), '{{instance}}'),
  ),
];

/** How the machinery does. */
export function controlPlaneDashboard(): DashboardBuilder {
  const dashboard = new DashboardBuilder('PhaseRun / Control plane')
    .uid('phaserun-control-plane')
    .description('The API, the controller, what they stand on, and what keeps it in order.')
    .tags(['phaserun'])
    .readonly()
    .tooltip(DashboardCursorSync.Crosshair)
    .time({ from: 'now-6h', to: 'now' })
    .refresh('1m')
    .timezone('browser')
    .withVariable(prometheusVariable());
  return addPanels(dashboard, PROMETHEUS, [...API, ...RECONCILES, ...DEPENDENCIES, ...UPKEEP]);
}
