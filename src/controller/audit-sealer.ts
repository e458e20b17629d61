import type { Logger } from 'pino';
import { type ChainOwner, listUnsealedChains, sealAuditEvents } from '../store/audit-chain.ts';
import { cutAuditChains, deleteCutEvents } from '../store/audit-retention.ts';
import type { Connection } from '../store/database.ts';
import type { Metrics } from '../telemetry/metrics.ts';
import type { BackgroundJob } from './background-job.ts';

export interface AuditJobsOptions {
  readonly pool: Connection;
  readonly metrics: Pick<Metrics, 'audit'>;
  readonly logger: Logger;
  /** How long sealed events are kept. */
  readonly retentionDays: number;
}

const SEAL_INTERVAL_MS = 5_000;
const CUT_INTERVAL_MS = 60 * 60_000;
const SEAL_BATCH = 500;
const DELETE_BATCH = 1_000;

/** What the leader does for the audit: it seals what happened, and takes away what is old. */
export function createAuditJobs(options: AuditJobsOptions): readonly BackgroundJob[] {
  return [
    { name: 'seal-audit', intervalMs: SEAL_INTERVAL_MS, run: (signal) => sealAll(options, signal) },
    { name: 'cut-audit', intervalMs: CUT_INTERVAL_MS, run: (signal) => cutAll(options, signal) },
  ];
}

/** A chain that somebody has meddled with cannot be gone on with; that is no reason to leave the others. */
async function sealAll(options: AuditJobsOptions, signal: AbortSignal): Promise<void> {
  const failures: unknown[] = [];
  for (const owner of await listUnsealedChains(options.pool)) {
    if (signal.aborted) return;
    try {
      await sealChain(options, owner, signal);
    } catch (error) {
      failures.push(error);
      options.logger.error({ err: error, customerId: owner }, 'audit events cannot be sealed');
    }
  }
  if (failures.length > 0) throw new AggregateError(failures, 'some chains cannot be gone on with');
}

async function sealChain(
  { pool, metrics }: AuditJobsOptions,
  owner: ChainOwner,
  signal: AbortSignal,
): Promise<void> {
  let sealed: number;
  do {
    sealed = await sealAuditEvents(pool, owner, SEAL_BATCH);
    metrics.audit.sealed.inc(sealed);
  } while (sealed > 0 && !signal.aborted);
}

async function cutAll(
  { pool, metrics, retentionDays }: AuditJobsOptions,
  signal: AbortSignal,
): Promise<void> {
  await cutAuditChains(pool, retentionDays);
  let deleted: number;
  do {
    deleted = await deleteCutEvents(pool, DELETE_BATCH);
    metrics.audit.deleted.inc(deleted);
  } while (deleted === DELETE_BATCH && !signal.aborted);
}
