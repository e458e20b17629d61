import type { Connection } from '../store/database.ts';
import { deleteExpiredIdempotencyRecords } from '../store/idempotency.ts';
import type { Metrics } from '../telemetry/metrics.ts';
import type { BackgroundJob } from './background-job.ts';

export interface IdempotencyExpiryOptions {
  readonly pool: Connection;
  readonly metrics: Pick<Metrics, 'limits'>;
}

const INTERVAL_MS = 60_000;
/** Records of one statement. */
const BATCH_SIZE = 1_000;

/** What the leader does for answers that were kept long enough: they are deleted, the oldest first. */
export function createIdempotencyExpiry({ pool, metrics }: IdempotencyExpiryOptions): BackgroundJob {
  return {
    name: 'expire-idempotency-keys',
    intervalMs: INTERVAL_MS,
    async run(signal) {
      let deleted: number;
      do {
        deleted = await deleteExpiredIdempotencyRecords(pool, { limit: BATCH_SIZE });
        metrics.limits.idempotencyExpired.inc(deleted);
      } while (deleted === BATCH_SIZE && !signal.aborted);
    },
  };
}
