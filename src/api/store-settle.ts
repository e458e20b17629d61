import { setTimeout as sleep } from 'node:timers/promises';
import type { CommittedRun } from '../domain/run.ts';
import type { SessionState } from '../domain/session.ts';
import { deadlineIn } from '../kube/deadline.ts';
import type { PhaseRunName, PhaseRunWriter } from '../kube/phase-run-writer.ts';
import type { AcceptedStore } from '../resources/phase-run-draft.ts';
import { ProblemError } from './problem.ts';
import { type Verdict, verdictOf } from './verdict.ts';

/** Where a stored result is now. */
export interface StoredRun {
  /** Id of the execution row; the run's own while there is none. */
  readonly id: string;
  /** Whether it is a row, and so what `retrieve` sees; else it is durable as a PhaseRun, or in the inbox. */
  readonly persisted: boolean;
  /** Undefined: it waits in the inbox, for Kubernetes to take it. */
  readonly phaseRun: PhaseRunName | undefined;
  readonly session: { readonly id: string; readonly state: SessionState } | undefined;
}

/** A controller that has told of a refusal is about to write the reason down. */
const REASON_WAIT_MS = 1_000;
const REASON_POLL_MS = 50;

/**
 * Makes the answer of a store whose PhaseRun is written, from what was heard of its row.
 * @param heard undefined when nothing was heard in time
 * @throws ProblemError 422 when the controller or Postgres refused it
 */
export async function settleRun(
  phaseRuns: Pick<PhaseRunWriter, 'get'>,
  { runId }: Pick<AcceptedStore, 'runId'>,
  phaseRun: PhaseRunName,
  heard: CommittedRun | undefined,
): Promise<StoredRun> {
  const isRefused = heard?.disposition === 'rejected' || heard?.disposition === 'quarantined';
  if (heard !== undefined && !isRefused) return storedAs(heard, phaseRun);
  const verdict = await askPhaseRun(phaseRuns, phaseRun, isRefused ? REASON_WAIT_MS : 0);
  if (verdict.kind === 'archived') {
    return { id: verdict.executionId, persisted: true, phaseRun, session: verdict.session };
  }
  if (verdict.kind === 'rejected') throw refused(verdict.reason, verdict.message);
  if (isRefused) throw refused(heard.disposition, 'the reason stands in the status of the PhaseRun');
  return { id: runId, persisted: false, phaseRun, session: undefined };
}

/** The row that a notification speaks of; a run that was deleted since keeps its own id. */
export function storedAs(run: CommittedRun, phaseRun: PhaseRunName | undefined): StoredRun {
  const { runId, executionId = runId, sessionId, sessionState } = run;
  const session = sessionId && sessionState ? { id: sessionId, state: sessionState } : undefined;
  return { id: executionId, persisted: true, phaseRun, session };
}

/** The verdict, waited for a little; pending also when the API server does not answer, for the run is kept all the same. */
async function askPhaseRun(
  phaseRuns: Pick<PhaseRunWriter, 'get'>,
  phaseRun: PhaseRunName,
  waitMs: number,
): Promise<Verdict> {
  const deadline = deadlineIn(Math.max(waitMs, REASON_WAIT_MS));
  for (let waitedMs = 0; ; waitedMs += REASON_POLL_MS) {
    const verdict = await phaseRuns.get(phaseRun, deadline).then(verdictOf, () => PENDING);
    if (verdict.kind !== 'pending' || waitedMs >= waitMs) return verdict;
    await sleep(REASON_POLL_MS);
  }
}

const PENDING: Verdict = { kind: 'pending' };

function refused(reason: string, message: string): ProblemError {
  const code = reason.toLowerCase() === 'quarantined' ? 'RUN_QUARANTINED' : 'RUN_REJECTED';
  return new ProblemError(code, `The result was refused (${reason}): ${message}`);
}
