import { isFinished } from '../domain/phase.ts';
import type { CachedPhaseRun } from './phase-run-cache.ts';

/**
 * Whether nothing is left to do for a PhaseRun: its receipt is of this generation and of this very
 * database, or it was rejected at this generation for something that only an edit can mend.
 * A receipt from another incarnation proves nothing: a restore may have taken the row away.
 */
export function isSettled(
  phaseRun: Pick<CachedPhaseRun, 'archivedIn' | 'rejectedAt'>,
  incarnation: string | undefined,
): boolean {
  return phaseRun.rejectedAt !== undefined || isArchived(phaseRun, incarnation);
}

/** Whether the receipt vouches for the row of this generation, in this database. */
export function isArchived(
  { archivedIn }: Pick<CachedPhaseRun, 'archivedIn'>,
  incarnation: string | undefined,
): boolean {
  return archivedIn !== undefined && archivedIn === incarnation;
}

/** When a finished run may be deleted, in milliseconds since the epoch; undefined when it stays or has work left. */
export function expiresAt(phaseRun: CachedPhaseRun, incarnation: string | undefined): number | undefined {
  const { ttlSecondsAfterArchived: ttlSeconds } = phaseRun;
  const settledAt = settledSince(phaseRun, incarnation);
  return settledAt === undefined || ttlSeconds === undefined ? undefined : settledAt + ttlSeconds * 1000;
}

function settledSince(phaseRun: CachedPhaseRun, incarnation: string | undefined): number | undefined {
  const { rejectedAt, status, receipt } = phaseRun;
  if (rejectedAt !== undefined) return rejectedAt;
  return isFinished(status) && isArchived(phaseRun, incarnation) ? receipt?.committedAt : undefined;
}
