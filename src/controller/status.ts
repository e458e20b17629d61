import { compact } from '../domain/compact.ts';
import { isFinished } from '../domain/phase.ts';
import type { ArchivableRun, ArchivedRun } from '../domain/run.ts';
import { planSession, type SessionOutcome } from '../domain/session.ts';
import { setCondition } from '../kube/conditions.ts';
import type {
  AcceptedReason,
  ArchivedReason,
  Condition,
  ConditionType,
  RejectionReason,
  SessionReason,
} from '../resources/conditions.ts';
import type { PhaseRun, PhaseRunStatus } from '../resources/phase-run.ts';
import type { Rejection } from './interpret.ts';

/** Status of a run whose result is committed: the receipt, the session, the summary and all three conditions. */
export function archivedStatus(
  phaseRun: PhaseRun,
  run: ArchivableRun,
  outcome: ArchivedRun,
  now: Date,
): PhaseRunStatus {
  const { executionId, sha256, committedAt, order, incarnation, session } = outcome;
  const { vulnerabilities, validated, redGreen, trustScore, pullRequestUrl } = run.derived;
  const hasTests = run.phase !== 'scan';
  return compact({
    observedGeneration: phaseRun.metadata.generation,
    conditions: conditions(phaseRun, now, [
      {
        type: 'Accepted',
        status: 'True',
        reason: 'Accepted',
        message: `the run belongs to customer ${run.customerId}`,
      },
      archivedCondition(phaseRun, run, outcome),
      sessionCondition(run, session),
    ]),
    archive: compact({ executionId, sha256, committedAt, order, incarnation }),
    session,
    summary: run.payloadIsGone
      ? phaseRun.status?.summary
      : compact({ vulnerabilities, validated, ...(hasTests && { redGreen }), trustScore, pullRequestUrl }),
  });
}

/** Status of a run that is not taken in. What was archived at an earlier generation stays archived, and says so. */
export function rejectedStatus(
  phaseRun: PhaseRun,
  { reason, message }: Rejection,
  now: Date,
): PhaseRunStatus {
  const archived = phaseRun.status?.archive !== undefined;
  return {
    ...phaseRun.status,
    observedGeneration: phaseRun.metadata.generation,
    conditions: conditions(phaseRun, now, [
      { type: 'Accepted', status: 'False', reason, message },
      ...(archived
        ? []
        : [
            { type: 'Archived', status: 'False', reason: 'Rejected', message: 'nothing was stored' } as const,
          ]),
    ]),
  };
}

interface Statement {
  readonly type: ConditionType;
  readonly status: Condition['status'];
  readonly reason: AcceptedReason | RejectionReason | ArchivedReason | SessionReason;
  readonly message: string;
}

const ARCHIVED: Readonly<Record<ArchivedRun['disposition'], readonly [ArchivedReason, string]>> = {
  inserted: ['Stored', 'committed as execution'],
  updated: ['Stored', 'committed as execution'],
  unchanged: ['Stored', 'committed as execution'],
  duplicate: ['Duplicate', 'equal to its neighbour in the slot, execution'],
  deleted: ['Deleted', 'deleted on request, nothing stored for execution'],
  purged: ['Purged', 'past its retention, nothing stored again for execution'],
};

function archivedCondition(phaseRun: PhaseRun, run: ArchivableRun, outcome: ArchivedRun): Statement {
  const { disposition, executionId } = outcome;
  const [reason, message] = ARCHIVED[disposition];
  return {
    type: 'Archived',
    status: 'True',
    reason,
    message: `${message} ${executionId} of ${run.phase}_executions; ${fateOf(phaseRun, run, outcome)}`,
  };
}

/** What becomes of the PhaseRun; the row stays. */
function fateOf({ spec }: PhaseRun, { status }: ArchivableRun, { committedAt }: ArchivedRun): string {
  const { ttlSecondsAfterArchived } = spec;
  if (ttlSecondsAfterArchived === undefined) return 'this PhaseRun stays until somebody deletes it';
  if (!isFinished(status)) return 'this PhaseRun stays until the run has ended';
  const at = new Date(Date.parse(committedAt) + ttlSecondsAfterArchived * 1000);
  return `this PhaseRun is deleted after ${at.toISOString().slice(0, 19)}Z, or earlier where there are many`;
}

function sessionCondition(run: ArchivableRun, session: ArchivedRun['session']): Statement {
  const type = 'SessionAdvanced';
  if (session === undefined) {
    return {
      type,
      status: 'False',
      reason: 'NoSession',
      message: 'the run stored nothing, so it moved no session',
    };
  }
  const { target, outcome } = planSession(run);
  const message = `session ${session.id} is ${session.state}`;
  return session.state === target
    ? { type, status: 'True', reason: 'Advanced', message: `${message}${outcome ? OUTCOMES[outcome] : ''}` }
    : { type, status: 'False', reason: 'Unchanged', message: `${message}; this run called for ${target}` };
}

const OUTCOMES: Readonly<Record<SessionOutcome, string>> = {
  fixed: ': the issue is fixed',
  false_positive: ': the finding was a false positive',
  unproven: ': the result is unproven, so more work is expected',
};

function conditions(
  { metadata, status }: PhaseRun,
  now: Date,
  statements: readonly Statement[],
): Condition[] {
  let result: readonly Condition[] = status?.conditions ?? [];
  for (const statement of statements) {
    result = setCondition(result, { ...statement, observedGeneration: metadata.generation }, now);
  }
  return [...result];
}
