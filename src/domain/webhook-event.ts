import { compact } from './compact.ts';
import type { ArchivableRun, CommittedRun, JsonObject } from './run.ts';

/** What a customer can ask to be told of. In a CloudEvent each has the prefix `dev.rsolv.`. */
export const WEBHOOK_EVENT_TYPES = [
  'phase.completed',
  'phase.failed',
  'session.completed',
  'session.failed',
  'session.expired',
] as const;
export type WebhookEventType = (typeof WEBHOOK_EVENT_TYPES)[number];

/** Sent on request alone, whatever a subscription wants to be told of. */
export const WEBHOOK_TEST = 'webhook.test';

/** Something that happened, as it is told of. */
export interface WebhookEvent {
  /** The same however often it is recorded. No full stop: signatures use it as a separator. */
  readonly id: string;
  readonly type: WebhookEventType;
  /** What it happened to, in words for people and filters. */
  readonly subject: string;
  readonly data: JsonObject;
}

/**
 * What is told of a run that just became a row, or moved forward: nothing before it is finished, and nothing of one
 * that only repeats another. It says how the run went and where its result is, never what the client stored.
 */
export function phaseEventOf(run: ArchivableRun, committed: CommittedRun): WebhookEvent | undefined {
  const { runId, phase, status, repository, derived } = run;
  if (status !== 'completed' && status !== 'failed') return undefined;
  if (committed.disposition !== 'inserted' && committed.disposition !== 'updated') return undefined;
  const { issueNumber, commitSha, branch, pipelineRunId, startedAt, completedAt, errorMessage } = run;
  const { vulnerabilities, validated, redGreen, trustScore, pullRequestUrl } = derived;
  const issue = issueNumber === undefined ? '' : `#${issueNumber}`;
  return {
    id: `run_${runId}_${status}`,
    type: `phase.${status}`,
    subject: `${repository.forge}/${repository.fullPath}${issue}`,
    data: compact({
      runId,
      phase,
      status,
      forge: repository.forge,
      repository: repository.fullPath,
      issueNumber,
      commitSha,
      branch,
      pipelineRunId,
      startedAt,
      completedAt,
      errorMessage,
      sessionId: committed.sessionId,
      sessionState: committed.sessionState,
      vulnerabilities,
      validated,
      redGreen,
      trustScore,
      pullRequestUrl,
    }),
  };
}
