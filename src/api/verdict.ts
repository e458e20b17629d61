import type { SessionState } from '../domain/session.ts';
import { TERMINAL_REJECTIONS } from '../resources/conditions.ts';
import type { PhaseRun } from '../resources/phase-run.ts';

/** What the controller has written about a PhaseRun as it is now. */
export type Verdict =
  | {
      readonly kind: 'archived';
      readonly executionId: string;
      readonly session: { readonly id: string; readonly state: SessionState } | undefined;
    }
  | { readonly kind: 'rejected'; readonly reason: string; readonly message: string }
  | { readonly kind: 'pending' };

/** Reads the verdict; one that speaks of an earlier generation does not count. */
export function verdictOf(phaseRun: PhaseRun): Verdict {
  const accepted = conditionAtGeneration(phaseRun, 'Accepted');
  if (accepted?.status === 'False' && TERMINAL_REJECTIONS.has(accepted.reason)) {
    return { kind: 'rejected', reason: accepted.reason, message: accepted.message };
  }
  const { archive, session } = phaseRun.status ?? {};
  if (archive === undefined || conditionAtGeneration(phaseRun, 'Archived')?.status !== 'True') {
    return { kind: 'pending' };
  }
  return { kind: 'archived', executionId: archive.executionId, session };
}

function conditionAtGeneration({ metadata, status }: PhaseRun, type: string) {
  const condition = status?.conditions?.find((candidate) => candidate.type === type);
  return condition?.observedGeneration === metadata.generation ? condition : undefined;
}
