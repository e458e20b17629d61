import type { Connection } from '../store/database.ts';
import { expireSessions } from '../store/session-moves.ts';
import type { Metrics } from '../telemetry/metrics.ts';
import type { BackgroundJob } from './background-job.ts';

export interface SessionExpiryOptions {
  readonly pool: Connection;
  readonly metrics: { readonly product: Pick<Metrics['product'], 'recordTransitions'> };
  /** How long a session may be pending or active, counted from its creation. */
  readonly retentionDays: number;
}

const INTERVAL_MS = 60_000;
/** Sessions of one transaction. */
const BATCH_SIZE = 500;

/** What the leader does for sessions that nobody brought to an end: they expire, the oldest first. */
export function createSessionExpiry({ pool, metrics, retentionDays }: SessionExpiryOptions): BackgroundJob {
  return {
    name: 'expire-sessions',
    intervalMs: INTERVAL_MS,
    async run(signal) {
      let batch: Awaited<ReturnType<typeof expireSessions>>;
      do {
        batch = await expireSessions(pool, { retentionDays, limit: BATCH_SIZE });
        metrics.product.recordTransitions(batch.map((from) => ({ from, to: 'expired' })));
      } while (batch.length === BATCH_SIZE && !signal.aborted);
    },
  };
}
