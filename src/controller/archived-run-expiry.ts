import type { Logger } from 'pino';
import type { CachedPhaseRun } from './phase-run-cache.ts';
import { expiresAt } from './settled.ts';

/** Names the row that a receipt vouches for. */
export interface ReceiptToVerify {
  readonly runId: string;
  readonly executionId: string;
  readonly sha256: string;
}

export interface ExpiryDependencies {
  /** Every cached PhaseRun, and the incarnation their receipts must carry. */
  readonly phaseRuns: () => Iterable<CachedPhaseRun>;
  readonly incarnation: () => string | undefined;
  /** Of the given receipts, the `runId`s whose row (or tombstone) is there with that digest. */
  readonly verify: (receipts: readonly ReceiptToVerify[]) => Promise<ReadonlySet<string>>;
  /** Deletes this very object; a missing one is fine. */
  readonly remove: (phaseRun: CachedPhaseRun) => Promise<void>;
  /** Called for a run whose row is missing: it is to be archived again. */
  readonly onMissing: (phaseRun: CachedPhaseRun) => void;
  readonly onRemoved: (count: number) => void;
  readonly logger: Logger;
  readonly now: () => number;
  /** Archived runs with a TTL that may stay; the oldest go first. */
  readonly maxArchived: number;
}

const BATCH_SIZE = 200;
/** Few at first, since they compete with what is stored meanwhile. */
const FEWEST_DELETES_AT_ONCE = 4;
const MOST_DELETES_AT_ONCE = 32;
/** One more at once for each so many that wait: where few do not keep up with what comes, there are soon enough. */
const EXPIRED_PER_DELETE = 50;

/**
 * Deletes the PhaseRuns that have outlived their TTL, and of those with a TTL the oldest beyond `maxArchived`. Before
 * anything is deleted its row is looked for: the object is the last copy of a result whose row a restore took away.
 * @returns how many were deleted
 */
export async function expireArchivedRuns(
  dependencies: ExpiryDependencies,
  signal: AbortSignal,
): Promise<number> {
  const expired = listExpired(dependencies);
  let removed = 0;
  for (let at = 0; at < expired.length && !signal.aborted; at += BATCH_SIZE) {
    const batch = expired.slice(at, at + BATCH_SIZE);
    removed += await expireBatch(batch, deletesAtOnce(expired.length - at), dependencies, signal);
  }
  return removed;
}

function deletesAtOnce(waiting: number): number {
  const wanted = Math.ceil(waiting / EXPIRED_PER_DELETE);
  return Math.min(Math.max(wanted, FEWEST_DELETES_AT_ONCE), MOST_DELETES_AT_ONCE);
}

function listExpired({ phaseRuns, incarnation, now, maxArchived }: ExpiryDependencies): CachedPhaseRun[] {
  const current = incarnation();
  const candidates: { readonly phaseRun: CachedPhaseRun; readonly at: number }[] = [];
  for (const phaseRun of phaseRuns()) {
    const at = expiresAt(phaseRun, current);
    if (at !== undefined) candidates.push({ phaseRun, at });
  }
  candidates.sort((a, b) => a.at - b.at);
  const surplus = candidates.length - maxArchived;
  const moment = now();
  return candidates
    .filter(({ at }, index) => at <= moment || index < surplus)
    .map(({ phaseRun }) => phaseRun);
}

async function expireBatch(
  batch: readonly CachedPhaseRun[],
  atOnce: number,
  dependencies: ExpiryDependencies,
  signal: AbortSignal,
) {
  const { verify, onMissing, onRemoved, logger } = dependencies;
  const receipts = batch.flatMap(receiptOf);
  const present = receipts.length === 0 ? new Set<string>() : await verify(receipts);
  const missing = batch.filter(({ receipt, runId }) => receipt !== undefined && !present.has(runId));
  if (missing.length > 0) logger.error({ count: missing.length }, 'receipts without a row: archiving again');
  for (const phaseRun of missing) onMissing(phaseRun);
  const removable = batch.filter((phaseRun) => !missing.includes(phaseRun));
  const removed = await removeAll(removable, atOnce, dependencies, signal);
  onRemoved(removed);
  return removed;
}

/** What cannot be deleted now is left for the next time, and holds up nothing else. */
async function removeAll(
  phaseRuns: readonly CachedPhaseRun[],
  atOnce: number,
  { remove, logger }: ExpiryDependencies,
  signal: AbortSignal,
): Promise<number> {
  const waiting = [...phaseRuns];
  const failures: unknown[] = [];
  let removed = 0;
  const worker = async () => {
    for (let next = waiting.pop(); next !== undefined && !signal.aborted; next = waiting.pop()) {
      try {
        await remove(next);
        removed += 1;
      } catch (error) {
        failures.push(error);
      }
    }
  };
  await Promise.all(Array.from({ length: atOnce }, worker));
  if (failures.length > 0)
    logger.warn({ err: failures[0], count: failures.length }, 'expired PhaseRuns were not deleted');
  return removed;
}

function receiptOf({ receipt, runId }: CachedPhaseRun): ReceiptToVerify[] {
  if (receipt === undefined) return [];
  const { executionId, sha256 } = receipt;
  return [{ runId, executionId, sha256 }];
}
