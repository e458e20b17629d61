import { isFinished } from '../domain/phase.ts';
import type { CachedPhaseRun } from './phase-run-cache.ts';

export interface AbandonmentDependencies {
  readonly phaseRuns: () => Iterable<CachedPhaseRun>;
  /** Patches the spec of this very object; an object that has moved on or is gone is left alone. */
  readonly fail: (phaseRun: CachedPhaseRun, errorMessage: string) => Promise<void>;
  readonly onAbandoned: () => void;
  readonly now: () => number;
  /** How long a run may be pending or running, counted from its creation. */
  readonly retentionDays: number;
}

const DAY_MS = 86_400_000;

/**
 * Declares failed what has been pending or running for longer than sessions are kept: its job is long gone, and a run that
 * never ends would keep its session open and its object in the cluster for ever. One that cannot be patched holds up none
 * of the others.
 * @throws {AggregateError} of what was thrown for those that could not be
 */
export async function failAbandonedRuns(
  dependencies: AbandonmentDependencies,
  signal: AbortSignal,
): Promise<void> {
  const { phaseRuns, fail, onAbandoned, now, retentionDays } = dependencies;
  const createdBefore = now() - retentionDays * DAY_MS;
  const failures: unknown[] = [];
  for (const phaseRun of phaseRuns()) {
    if (signal.aborted) break;
    if (isFinished(phaseRun.status)) continue;
    if (phaseRun.createdAt > createdBefore) continue;
    try {
      await fail(phaseRun, `Abandoned: not moved forward within ${retentionDays} days`);
      onAbandoned();
    } catch (error) {
      failures.push(error);
    }
  }
  if (failures.length > 0) throw new AggregateError(failures, 'abandoned runs could not be failed');
}
