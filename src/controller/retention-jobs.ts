import type { Logger } from 'pino';
import { FOREVER, type RetentionSettings } from '../domain/retention.ts';
import type { Connection } from '../store/database.ts';
import { measureOldestExecution } from '../store/retention-executions.ts';
import { recordRetentionSettings } from '../store/retention-policies.ts';
import type { RetentionKind } from '../telemetry/families/retention.ts';
import type { Metrics } from '../telemetry/metrics.ts';
import type { BackgroundJob } from './background-job.ts';
import type { CachedPhaseRun } from './phase-run-cache.ts';
import { purgeOldExecutions, RETENTION_ROUND, sweepAllOld } from './retention-round.ts';
import { sweepRunTombstones, sweepSlotTombstones } from './tombstone-sweep.ts';

export interface RetentionJobsOptions {
  readonly pool: Connection;
  readonly metrics: Pick<Metrics, 'retention'>;
  readonly logger: Logger;
  readonly settings: RetentionSettings;
  /** Every PhaseRun there is. */
  readonly livePhaseRuns: () => readonly CachedPhaseRun[];
}

const INTERVAL_MS = 10 * 60_000;

/** What the leader does for what was kept long enough: it goes, kind by kind, so that the others have connections left. */
export function createRetentionJobs(options: RetentionJobsOptions): readonly BackgroundJob[] {
  return [
    { name: 'apply-retention', intervalMs: INTERVAL_MS, run: (signal) => applyRetention(options, signal) },
  ];
}

/** A kind that fails holds up no other. */
async function applyRetention(options: RetentionJobsOptions, signal: AbortSignal): Promise<void> {
  const { pool, metrics, logger, settings } = options;
  await recordRetentionSettings(pool, settings);
  const failures: unknown[] = [];
  for (const [kind, purge] of Object.entries(purgesOf(options, signal))) {
    if (signal.aborted) return;
    try {
      metrics.retention.removed.inc({ kind }, await purge());
      metrics.retention.lastSuccess.setToCurrentTime({ kind });
    } catch (error) {
      failures.push(error);
      logger.warn({ err: error, kind }, 'what is too old was not taken away');
    }
  }
  metrics.retention.oldestExecutionAge.set(await measureOldestExecution(pool));
  if (failures.length > 0) throw new AggregateError(failures, 'some of what is too old is still there');
}

/** In this order: a session goes once its executions are gone. */
function purgesOf(
  { pool, settings, livePhaseRuns }: RetentionJobsOptions,
  signal: AbortSignal,
): Readonly<Record<RetentionKind, () => Promise<number>>> {
  const round = { ...RETENTION_ROUND, signal };
  const ofRuns = { ...round, defaults: settings };
  const tombstones = { ...round, days: settings.tombstoneDays };
  const keepsTombstones = settings.tombstoneDays === FOREVER;
  return {
    executions: async () => sumRows(await purgeOldExecutions(pool, 'executions', ofRuns)),
    payloads: async () => sumRows(await purgeOldExecutions(pool, 'payloads', ofRuns)),
    sessions: () => sweepAllOld(pool, 'sessions', { ...round, days: settings.sessionDays }),
    tasks: () => sweepAllOld(pool, 'tasks', { ...round, days: settings.taskDays }),
    approvals: () => sweepAllOld(pool, 'approvals', { ...round, days: settings.approvalDays }),
    quarantined: () => sweepAllOld(pool, 'quarantined', { ...round, days: settings.quarantineDays }),
    async duplicates() {
      if (keepsTombstones) return 0;
      return sweepRunTombstones(pool, 'repeated', { ...tombstones, live: liveRuns(livePhaseRuns()) });
    },
    async tombstones() {
      if (keepsTombstones) return 0;
      const options = { ...tombstones, live: liveRuns(livePhaseRuns()) };
      return (await sweepRunTombstones(pool, 'buried', options)) + (await sweepSlotTombstones(pool, options));
    },
  };
}

function liveRuns(phaseRuns: readonly CachedPhaseRun[]) {
  return {
    runIds: new Set(phaseRuns.map(({ runId }) => runId)),
    slots: new Set(phaseRuns.map(({ slot }) => slot)),
  };
}

function sumRows(removed: readonly { readonly rows: number }[]): number {
  return removed.reduce((sum, { rows }) => sum + rows, 0);
}
