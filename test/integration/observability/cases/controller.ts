import { type CasesByAlert, ELECTED, FOLLOWER, LEADER, NOTHING } from '../alert-case.ts';

const status = (value: number) => ({
  [`leader_election_master_status{${LEADER}, name="phaserun-controller"}`]: `${value}+0x60`,
});
const policy = (of: string) => `phaserun_admission_policy_missing{${of}, policy="phaserun-deletion"}`;
const reconciles = (result: string) =>
  `controller_runtime_reconcile_total{${LEADER}, controller="phaserun", result="${result}"}`;
const ERRORS = `controller_runtime_reconcile_errors_total{${LEADER}, controller="phaserun"}`;
const QUEUE = `${LEADER}, name="phaserun"`;
const WAITED = `workqueue_queue_duration_seconds_sum{${QUEUE}}`;
const TAKEN = `workqueue_queue_duration_seconds_count{${QUEUE}}`;
const DEPTH = `workqueue_depth{${QUEUE}}`;
const QUARANTINED = `phaserun_rejected_runs_total{${LEADER}, reason="Quarantined"}`;
const REFUSED = `phaserun_inbox_attempts_total{${LEADER}, outcome="refused"}`;
const seen = (of: string, resource: string) =>
  `phaserun_informer_last_event_timestamp_seconds{${of}, resource="${resource}"}`;
const API = 'job="api", instance="a1"';
const lastOf = (of: string, job: string) =>
  `phaserun_background_job_last_success_timestamp_seconds{${of}, background_job="${job}"}`;
const intervalOf = (of: string, job: string) =>
  `phaserun_background_job_interval_seconds{${of}, background_job="${job}"}`;
const WRITE_ERRORS = `phaserun_audit_write_errors_total{${API}}`;
const discrepancies = (of: string) => `phaserun_doctor_discrepancies{${of}, kind="RowMissing"}`;
const retained = (of: string) =>
  `phaserun_retention_last_success_timestamp_seconds{${of}, kind="executions"}`;
const deliveries = (outcome: string) => `phaserun_webhook_deliveries_total{${LEADER}, outcome="${outcome}"}`;
const DISABLED = `phaserun_webhook_subscriptions_disabled_total{${LEADER}, reason="gone"}`;
const LAG = `nodejs_eventloop_lag_p99_seconds{${API}}`;

/** Never again, in Unix time that begins with the test, and all the time. */
const NEVER = '0+0x800';
const ALWAYS = '0+60x800';

/** What the alerts of the controller are to do. */
export const CONTROLLER_CASES: CasesByAlert = {
  NoLeader: {
    fires: [
      { when: 'there is no controller', series: NOTHING, at: '5m' },
      { when: 'none has the lease', series: status(0), at: '5m' },
    ],
    silent: [{ when: 'one has the lease', series: ELECTED, at: '5m' }],
  },
  DeletionGuardMissing: {
    fires: [
      {
        when: 'the leader misses it',
        series: { ...ELECTED, [policy(LEADER)]: '1+0x60' },
        at: '5m',
        labels: { policy: 'phaserun-deletion' },
      },
    ],
    silent: [
      { when: 'it is there', series: { ...ELECTED, [policy(LEADER)]: '0+0x60' }, at: '5m' },
      {
        when: 'who led before has missed it',
        series: { ...ELECTED, [policy(LEADER)]: '0+0x60', [policy(FOLLOWER)]: '1+0x60' },
        at: '5m',
      },
    ],
  },
  ReconcileErrors: {
    fires: [
      {
        when: 'a third fails',
        series: { [reconciles('success')]: '0+10x60', [reconciles('error')]: '0+5x60', [ERRORS]: '0+5x60' },
        at: '30m',
      },
    ],
    silent: [
      {
        when: 'one in a hundred fails',
        series: {
          [reconciles('success')]: '0+990x60',
          [reconciles('error')]: '0+10x60',
          [ERRORS]: '0+10x60',
        },
        at: '30m',
      },
      {
        when: 'all of a few fail',
        series: { [reconciles('error')]: '0+0x20 1+1x3 4+0x60', [ERRORS]: '0+0x20 1+1x3 4+0x60' },
        at: '30m',
      },
    ],
  },
  ReconcilesLate: {
    fires: [
      {
        when: 'slots wait 40 s',
        series: { [WAITED]: '0+400x60', [TAKEN]: '0+10x60', [DEPTH]: '7+0x60' },
        at: '30m',
      },
      {
        when: 'none is taken',
        series: { [WAITED]: '0+0x60', [TAKEN]: '0+0x60', [DEPTH]: '7+0x60' },
        at: '30m',
      },
    ],
    silent: [
      {
        when: 'slots wait 1 s',
        series: { [WAITED]: '0+10x60', [TAKEN]: '0+10x60', [DEPTH]: '7+0x60' },
        at: '30m',
      },
      {
        when: 'there is nothing to do',
        series: { [WAITED]: '0+0x60', [TAKEN]: '0+0x60', [DEPTH]: '0+0x60' },
        at: '30m',
      },
    ],
  },
  RunsQuarantined: {
    fires: [
      {
        when: 'Postgres refused the first',
        series: { [QUARANTINED]: '_x70 1+0x60', [REFUSED]: '0+0x200' },
        at: '90m',
      },
      { when: 'Kubernetes refused one', series: { [REFUSED]: '0+0x70 1+0x60' }, at: '90m' },
    ],
    silent: [
      { when: 'that was long ago', series: { [QUARANTINED]: '3+0x200', [REFUSED]: '2+0x200' }, at: '90m' },
    ],
  },
  InformerStale: {
    fires: [
      {
        when: 'a replica of the API sees no namespaces',
        series: { [seen(API, 'namespaces')]: NEVER },
        at: '20m',
        labels: { job: 'api', instance: 'a1', resource: 'namespaces' },
      },
      {
        when: 'a controller sees no PhaseRuns',
        series: { ...ELECTED, [seen(FOLLOWER, 'phaseruns')]: NEVER },
        at: '20m',
        labels: { job: 'controller', instance: 'c2', resource: 'phaseruns' },
      },
    ],
    silent: [
      { when: 'bookmarks come', series: { ...ELECTED, [seen(LEADER, 'phaseruns')]: ALWAYS }, at: '20m' },
      {
        when: 'a replica of the API has stopped to watch PhaseRuns',
        series: { ...ELECTED, [seen(API, 'phaseruns')]: NEVER },
        at: '20m',
      },
    ],
  },
  BackgroundJobNotSucceeding: {
    fires: [
      {
        when: 'it succeeded long ago',
        series: {
          ...ELECTED,
          [intervalOf(LEADER, 'doctor')]: '600+0x100',
          [lastOf(LEADER, 'doctor')]: NEVER,
        },
        at: '60m',
        labels: { background_job: 'doctor' },
      },
      {
        when: 'it never has',
        series: { ...ELECTED, [intervalOf(LEADER, 'doctor')]: '600+0x100' },
        at: '20m',
        labels: { background_job: 'doctor' },
      },
    ],
    silent: [
      {
        when: 'it does',
        series: {
          ...ELECTED,
          [intervalOf(LEADER, 'doctor')]: '600+0x100',
          [lastOf(LEADER, 'doctor')]: ALWAYS,
        },
        at: '60m',
      },
      {
        when: 'another leads now',
        series: {
          ...ELECTED,
          [intervalOf(FOLLOWER, 'doctor')]: '600+0x100',
          [lastOf(FOLLOWER, 'doctor')]: NEVER,
        },
        at: '60m',
      },
    ],
  },
  AuditUnsealed: {
    fires: [
      { when: 'sealing fails', series: { ...ELECTED, [lastOf(LEADER, 'seal-audit')]: NEVER }, at: '30m' },
      {
        when: 'sealing has never succeeded',
        series: { ...ELECTED, [intervalOf(LEADER, 'seal-audit')]: '5+0x60' },
        at: '20m',
      },
    ],
    silent: [
      {
        when: 'sealing succeeds',
        series: {
          ...ELECTED,
          [lastOf(LEADER, 'seal-audit')]: ALWAYS,
          [intervalOf(LEADER, 'seal-audit')]: '5+0x60',
        },
        at: '30m',
      },
    ],
  },
  AuditNotWritten: {
    fires: [{ when: 'it fails every minute', series: { [WRITE_ERRORS]: '0+1x60' }, at: '30m' }],
    silent: [{ when: 'it failed once', series: { [WRITE_ERRORS]: '0+0x20 1+0x60' }, at: '30m' }],
  },
  DiscrepanciesFound: {
    fires: [
      {
        when: 'a row is missing',
        series: { ...ELECTED, [discrepancies(LEADER)]: '1+0x60' },
        at: '40m',
        labels: { kind: 'RowMissing' },
      },
    ],
    silent: [
      { when: 'it is mended', series: { ...ELECTED, [discrepancies(LEADER)]: '1+0x20 0+0x60' }, at: '40m' },
    ],
  },
  RetentionStalled: {
    fires: [
      {
        when: 'nothing is taken away',
        series: { ...ELECTED, [retained(LEADER)]: NEVER },
        at: '4h',
        labels: { kind: 'executions' },
      },
    ],
    silent: [{ when: 'it is', series: { ...ELECTED, [retained(LEADER)]: ALWAYS }, at: '4h' }],
  },
  WebhookDeliveryFailing: {
    fires: [
      {
        when: 'two thirds fail',
        series: { [deliveries('retried')]: '0+2x100', [deliveries('delivered')]: '0+1x100' },
        at: '60m',
      },
    ],
    silent: [
      {
        when: 'a third fails',
        series: { [deliveries('retried')]: '0+1x100', [deliveries('delivered')]: '0+2x100' },
        at: '60m',
      },
      { when: 'a handful was sent', series: { [deliveries('retried')]: '0+0x50 5+0x50' }, at: '60m' },
    ],
  },
  WebhookDisabled: {
    fires: [
      { when: 'one was', series: { [DISABLED]: '0+0x20 1+0x60' }, at: '40m', labels: { reason: 'gone' } },
    ],
    silent: [{ when: 'that was long ago', series: { [DISABLED]: '4+0x100' }, at: '40m' }],
  },
  EventLoopBlocked: {
    fires: [
      {
        when: 'it is 2 s late',
        series: { [LAG]: '2+0x60' },
        at: '20m',
        labels: { job: 'api', instance: 'a1' },
      },
    ],
    silent: [{ when: 'it is 20 ms late', series: { [LAG]: '0.02+0x60' }, at: '20m' }],
  },
};
