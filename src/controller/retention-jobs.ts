import type { Logger } from 'pino';
import type { RetentionSettings } from '../domain/retention.ts';
import type { Connection } from '../store/database.ts';
import { measureOldestExecution } from '../store/retention-executions.ts';
import { recordRetentionSettings } from '../store/retention-policies.ts';
import type { RetentionKind } from '../telemetry/families/retention.ts';
import type { Metrics } from '../telemetry/metrics.ts';
import type { BackgroundJob } from './background-job.ts';
import { purgeOldExecutions } from './retention-round.ts';

export interface RetentionJobsOptions {
  readonly pool: Connection;
  readonly metrics: Pick<Metrics, 'retention'>;
  readonly logger: Logger;
  readonly settings: RetentionSettings;
}

const INTERVAL_MS = 10 * 60_000;
/** Rows of one transaction, which takes a lock for each slot of theirs. */
export const RETENTION_BATCH = 500;
/** Batches of one kind in one round: what is more goes in the next. */
const BATCHES_A_ROUND = 200;

/** What the leader does for what is kept long enough: it goes, kind by kind, so that the others have connections left. */
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
  for (const [kind, purge] of Object.entries(purges(options, signal))) {
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

type Purges = Partial<Record<RetentionKind, () => Promise<number>>>;

function purges({ pool, settings }: RetentionJobsOptions, signal: AbortSignal): Purges {
  const round = {
    defaults: settings,
    signal,
    batchSize: RETENTION_BATCH,
    maxBatches: BATCHES_A_ROUND,
  };
  return {
    payloads: async () => sumRows(await purgeOldExecutions(pool, 'payloads', round)),
    executions: async () => sumRows(await purgeOldExecutions(pool, 'executions', round)),
  };
}

function sumRows(removed: readonly { readonly rows: number }[]): number {
  return removed.reduce((sum, { rows }) => sum + rows, 0);
}
