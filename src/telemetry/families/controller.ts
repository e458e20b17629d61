import { Counter, Gauge, type Registry } from 'prom-client';
import { zeroCounter } from '../zero-series.ts';

/** What became of runs that were reconciled, as the archive names it. */
export const DISPOSITIONS = ['inserted', 'updated', 'unchanged', 'duplicate', 'deleted', 'purged'] as const;

/** What the controller did to PhaseRuns. */
export function createControllerMetrics(registry: Registry) {
  const registers = [registry];
  const archived = new Counter({
    name: 'phaserun_archived_runs_total',
    help: 'Reconciles that ended in a receipt, by what the transaction found or wrote.',
    labelNames: ['disposition'] as const,
    registers,
  });
  zeroCounter(archived, { disposition: DISPOSITIONS });
  return {
    archived,
    rejected: new Counter({
      name: 'phaserun_rejected_runs_total',
      help: 'PhaseRuns that were not taken in, by reason of their Accepted condition.',
      labelNames: ['reason'] as const,
      registers,
    }),
    waitingStatuses: new Gauge({
      name: 'phaserun_waiting_statuses',
      help: 'Statuses of runs that are rows, which wait while rows are written.',
      registers,
    }),
    expired: new Counter({
      name: 'phaserun_expired_objects_total',
      help: 'Archived PhaseRuns that were deleted at the end of their TTL.',
      registers,
    }),
    jobRuns: new Counter({
      name: 'phaserun_background_job_runs_total',
      help: 'Rounds of the background jobs of the leader, by job and result.',
      labelNames: ['background_job', 'result'] as const,
      registers,
    }),
    jobInterval: new Gauge({
      name: 'phaserun_background_job_interval_seconds',
      help: 'Seconds that the leader lets pass between two rounds of a job, by job.',
      labelNames: ['background_job'] as const,
      registers,
    }),
    jobLastSuccess: new Gauge({
      name: 'phaserun_background_job_last_success_timestamp_seconds',
      help: 'Unix time at which a round of the job last succeeded, by job.',
      labelNames: ['background_job'] as const,
      registers,
    }),
    abandoned: new Counter({
      name: 'phaserun_abandoned_runs_total',
      help: 'Runs that were declared failed because nobody moved them forward in time.',
      registers,
    }),
    policyMissing: new Gauge({
      name: 'phaserun_admission_policy_missing',
      help: '1 while an admission policy that guards PhaseRuns is absent or does not deny, by policy.',
      labelNames: ['policy'] as const,
      registers,
    }),
  };
}
