import type { Alert } from '../alert.ts';
import { metric } from '../metric.ts';
import { all, any, last, ofLeader, total } from '../promql.ts';

const LEADS = metric('leader_election_master_status', { name: 'phaserun-controller' });
const CONTROLLER = { controller: 'phaserun' } as const;
const RECONCILED = `sum(increase(${metric('controller_runtime_reconcile_total', CONTROLLER)}[10m]))`;
const FAILED = `sum(increase(${metric('controller_runtime_reconcile_errors_total', CONTROLLER)}[10m]))`;

const QUEUE = { name: 'phaserun' } as const;
const WAITED = `sum(rate(${metric('workqueue_queue_duration_seconds_sum', QUEUE)}[10m]))`;
const TAKEN = `sum(rate(${metric('workqueue_queue_duration_seconds_count', QUEUE)}[10m]))`;

const silence = (resource: 'phaseruns' | 'namespaces') =>
  `time() - ${metric('phaserun_informer_last_event_timestamp_seconds', { resource })} > 300`;

const QUARANTINED = metric('phaserun_rejected_runs_total', { reason: 'Quarantined' });
const REFUSED = metric('phaserun_inbox_attempts_total', { outcome: 'refused' });

const SEALING = { background_job: 'seal-audit' } as const;
const LAST = metric('phaserun_background_job_last_success_timestamp_seconds', {}, SEALING);
const INTERVAL = metric('phaserun_background_job_interval_seconds', {}, SEALING);
const LAST_SEALED = metric('phaserun_background_job_last_success_timestamp_seconds', SEALING);

/** What the controller does. */
export const CONTROLLER_ALERTS: readonly Alert[] = [
  {
    name: 'NoLeader',
    severity: 'critical',
    expr: `(sum(${LEADS}) or vector(0)) == 0`,
    for: '2m',
    summary: 'No controller leads',
    description: '{{ $value }} controllers hold the lease: nothing is archived, published or expired.',
  },
  {
    name: 'DeletionGuardMissing',
    severity: 'critical',
    expr: `max by (policy) ${ofLeader(metric('phaserun_admission_policy_missing'))} == 1`,
    for: '2m',
    summary: 'An admission policy that guards PhaseRuns is not in force',
    description:
      'Without {{ $labels.policy }} a result can be deleted before it is a row, or claim to be of another customer (missing: {{ $value }}).',
  },
  {
    name: 'ReconcileErrors',
    severity: 'warning',
    expr: all(`${FAILED} / ${RECONCILED} > 0.1`, `${FAILED} >= 10`),
    for: '5m',
    summary: 'Reconciles fail',
    description:
      '{{ $value | humanizePercentage }} of the reconciles of the last 10 minutes failed and are retried.',
  },
  {
    name: 'ReconcilesLate',
    severity: 'warning',
    expr: any(
      `${WAITED} / ${TAKEN} > 30`,
      `(sum(${metric('workqueue_depth', QUEUE)}) > 0 unless ${TAKEN} > 0)`,
    ),
    for: '10m',
    summary: 'PhaseRuns wait long for the controller',
    description:
      'Slots wait in the queue: {{ $value | printf "%.0f" }} s on average, or so many and none is taken.',
  },
  {
    name: 'RunsQuarantined',
    severity: 'warning',
    expr: `(${total(QUARANTINED, last('1h'))} or vector(0)) + ${total(REFUSED, last('1h'))} > 0`,
    summary: 'Results were put into quarantine',
    description:
      'About {{ $value | printf "%.0f" }} results of the last hour could not be stored for their content.',
  },
  {
    name: 'InformerStale',
    severity: 'warning',
    // An API replica watches PhaseRuns only while there is trouble: of those the controllers' watches alone have to go on.
    expr: any(silence('namespaces'), `(${silence('phaseruns')} and on (job, instance) ${LEADS})`),
    for: '5m',
    summary: 'A watch has gone silent',
    description:
      '{{ $labels.instance }} has seen no event and no bookmark of {{ $labels.resource }} for {{ $value | humanizeDuration }}.',
  },
  {
    name: 'BackgroundJobNotSucceeding',
    severity: 'warning',
    expr: `max by (background_job) ${ofLeader(`(time() - ${LAST} > 3 * ${INTERVAL} + 600 or ${INTERVAL} unless ${LAST})`)}`,
    for: '15m',
    summary: 'A job of the leader does not succeed',
    description:
      '{{ $labels.background_job }} has not succeeded for long ({{ $value | printf "%.0f" }} s, or its interval where it never has).',
  },
  {
    name: 'AuditUnsealed',
    severity: 'warning',
    expr: any(
      `max(${ofLeader(`(time() - ${LAST_SEALED} > 600)`)})`,
      `max(${ofLeader(`(${metric('phaserun_background_job_interval_seconds', SEALING)} unless ${LAST_SEALED})`)})`,
    ),
    for: '10m',
    summary: 'Audit events are not sealed',
    description:
      'Since {{ $value | printf "%.0f" }} s not every chain of the audit could be sealed: what is not sealed can be changed without a trace.',
  },
  {
    name: 'AuditNotWritten',
    severity: 'warning',
    expr: `sum(increase(${metric('phaserun_audit_write_errors_total')}[15m])) > 3`,
    for: '5m',
    summary: 'Accesses cannot be written to the audit',
    description:
      'Writing what was noted failed about {{ $value | printf "%.0f" }} times in 15 minutes; it is in memory until it succeeds.',
  },
  {
    name: 'DiscrepanciesFound',
    severity: 'warning',
    expr: `max by (kind) ${ofLeader(metric('phaserun_doctor_discrepancies'))} > 0`,
    for: '30m',
    summary: 'PhaseRuns and rows do not agree',
    description: '{{ $value }} discrepancies of the kind {{ $labels.kind }} stay from round to round.',
  },
  {
    name: 'RetentionStalled',
    severity: 'warning',
    expr: `max by (kind) ${ofLeader(`(time() - ${metric('phaserun_retention_last_success_timestamp_seconds')} > 10800)`)}`,
    for: '10m',
    summary: 'What is too old is not taken away',
    description:
      '{{ $labels.kind }} were last taken away without a failure {{ $value | humanizeDuration }} ago.',
  },
  {
    name: 'WebhookDeliveryFailing',
    severity: 'warning',
    expr: all(
      `sum(increase(${metric('phaserun_webhook_deliveries_total', { outcome: ['retried', 'failed', 'gone'] })}[30m])) / sum(increase(${metric('phaserun_webhook_deliveries_total')}[30m])) > 0.5`,
      `sum(increase(${metric('phaserun_webhook_deliveries_total')}[30m])) >= 10`,
    ),
    for: '15m',
    summary: 'Webhooks cannot be delivered',
    description: '{{ $value | humanizePercentage }} of the attempts of the last 30 minutes failed.',
  },
  {
    name: 'WebhookDisabled',
    severity: 'info',
    expr: `sum by (reason) (increase(${metric('phaserun_webhook_subscriptions_disabled_total')}[1h])) > 0`,
    summary: 'A webhook was disabled',
    description:
      'About {{ $value | printf "%.0f" }} subscriptions were disabled in the last hour ({{ $labels.reason }}).',
  },
  {
    name: 'EventLoopBlocked',
    severity: 'warning',
    expr: `max by (job, instance) (${metric('nodejs_eventloop_lag_p99_seconds')}) > 1`,
    for: '5m',
    summary: 'A process answers late',
    description: 'The event loop of {{ $labels.instance }} is {{ $value | humanizeDuration }} late.',
  },
];
