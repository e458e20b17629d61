import { isFinished } from '../domain/phase.ts';
import { TERMINAL_REJECTIONS } from '../resources/conditions.ts';
import type { PhaseRun } from '../resources/phase-run.ts';

/**
 * Whether nothing is left to do for a PhaseRun: its receipt is of this generation and of this very
 * database, or it was rejected at this generation for something that only an edit can mend.
 * A receipt from another incarnation proves nothing: a restore may have taken the row away.
 */
export function isSettled(phaseRun: PhaseRun, incarnation: string | undefined): boolean {
  return isArchived(phaseRun, incarnation) || isTerminallyRejected(phaseRun);
}

/** Whether the receipt vouches for the row of this generation, in this database. */
export function isArchived(phaseRun: PhaseRun, incarnation: string | undefined): boolean {
  const archived = conditionAtGeneration(phaseRun, 'Archived');
  return archived?.status === 'True' && phaseRun.status?.archive?.incarnation === incarnation;
}

/** When a finished run may be deleted, in milliseconds since the epoch; undefined when it stays or has work left. */
export function expiresAt(phaseRun: PhaseRun, incarnation: string | undefined): number | undefined {
  const { ttlSecondsAfterArchived, result } = phaseRun.spec;
  if (ttlSecondsAfterArchived === undefined) return undefined;
  const settledAt = settledSince(phaseRun, incarnation, isFinished(result.status));
  return settledAt === undefined ? undefined : Date.parse(settledAt) + ttlSecondsAfterArchived * 1000;
}

function settledSince(
  phaseRun: PhaseRun,
  incarnation: string | undefined,
  finished: boolean,
): string | undefined {
  if (isTerminallyRejected(phaseRun)) return conditionAtGeneration(phaseRun, 'Accepted')?.lastTransitionTime;
  if (!finished || !isArchived(phaseRun, incarnation)) return undefined;
  return phaseRun.status?.archive?.committedAt;
}

function isTerminallyRejected(phaseRun: PhaseRun): boolean {
  const accepted = conditionAtGeneration(phaseRun, 'Accepted');
  return accepted?.status === 'False' && TERMINAL_REJECTIONS.has(accepted.reason);
}

function conditionAtGeneration(phaseRun: PhaseRun, type: string) {
  const condition = phaseRun.status?.conditions?.find((candidate) => candidate.type === type);
  return condition?.observedGeneration === phaseRun.metadata.generation ? condition : undefined;
}
