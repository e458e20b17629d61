import type { ArchivedRun } from '../domain/run.ts';
import type { EventRecorder } from '../kube/event-recorder.ts';
import type { EventReason } from '../resources/conditions.ts';
import { API_VERSION, KIND, type PhaseRun } from '../resources/phase-run.ts';
import type { Metrics } from '../telemetry/metrics.ts';
import { observeInformer, observeWorkQueue } from '../telemetry/observers.ts';
import { zeroCounter } from '../telemetry/zero-series.ts';
import type { ControllerObserver } from './controller.ts';
import type { MeasuredRun, Rejection } from './interpret.ts';
import { countRun } from './product-measure.ts';

const CONTROLLER = 'phaserun';

/** Turns what the controller did into metrics and Kubernetes Events. */
export function createControllerObserver(metrics: Metrics, events: EventRecorder): ControllerObserver {
  const { reconcile, product, controller } = metrics;
  reconcile.zero(CONTROLLER);
  return {
    informer: (resource) => observeInformer(metrics, resource),
    queue: observeWorkQueue(metrics, CONTROLLER),
    reconciled(result, seconds) {
      reconcile.total.inc({ controller: CONTROLLER, result });
      if (result === 'error') reconcile.errors.inc({ controller: CONTROLLER });
      reconcile.duration.observe({ controller: CONTROLLER }, seconds);
    },
    archived(phaseRun, run, outcome) {
      controller.archived.inc({ disposition: outcome.disposition });
      product.recordTransitions(outcome.transitions);
      countRun(product, run, outcome);
      for (const { reason, note } of describeArchived(phaseRun, run, outcome))
        tell(events, phaseRun, reason, note);
    },
    rejected(phaseRun, rejection) {
      controller.rejected.inc({ reason: rejection.reason });
      tell(events, phaseRun, 'Rejected', describeRejection(rejection));
    },
    statusesWait: (count) => controller.waitingStatuses.set(count),
    expired: (count) => controller.expired.inc(count),
    jobBegins(job, intervalMs) {
      controller.jobInterval.set({ background_job: job }, intervalMs / 1000);
      zeroCounter(controller.jobRuns, { background_job: [job], result: ['success', 'error'] });
    },
    jobRan(job, ok) {
      controller.jobRuns.inc({ background_job: job, result: ok ? 'success' : 'error' });
      if (ok) controller.jobLastSuccess.setToCurrentTime({ background_job: job });
    },
    abandoned: () => controller.abandoned.inc(),
    policyChecked: (policy, isInPlace) => controller.policyMissing.set({ policy }, isInPlace ? 0 : 1),
  };
}

interface Telling {
  readonly reason: EventReason;
  readonly note: string;
}

function describeArchived(phaseRun: PhaseRun, run: MeasuredRun, outcome: ArchivedRun): Telling[] {
  const { disposition, executionId, session, transitions } = outcome;
  const telling: Telling[] = [];
  if (disposition !== 'unchanged') {
    telling.push({ reason: 'Archived', note: `${run.status} result archived as execution ${executionId}` });
    if (run.derived.redGreen === 'inverted') {
      const note = 'the RED tests pass on the vulnerable commit: nothing is validated';
      telling.push({ reason: 'RedGreenViolation', note });
    }
  }
  for (const { to } of transitions) {
    const reason = SESSION_END[to];
    if (reason !== undefined) telling.push({ reason, note: `session ${session?.id} is ${to}` });
  }
  // Whoever stored over HTTP had the answer, and the conditions tell the rest; an Event for each run would cost the API
  // server half as much again as the run.
  const isAnswered = phaseRun.spec.runId !== undefined;
  return isAnswered ? telling.filter((told) => isUnusual(told, run)) : telling;
}

/** What happens once an issue at most, or should not happen. Every scan completes a session of its own. */
function isUnusual({ reason }: Telling, { phase }: MeasuredRun): boolean {
  return WARNINGS.has(reason) || (reason === 'SessionCompleted' && phase !== 'scan');
}

const SESSION_END: Readonly<Record<string, EventReason>> = {
  completed: 'SessionCompleted',
  failed: 'SessionFailed',
};

function describeRejection({ reason, message }: Rejection): string {
  return `${reason}: ${message}`;
}

const WARNINGS: ReadonlySet<EventReason> = new Set(['Rejected', 'SessionFailed', 'RedGreenViolation']);

function tell(events: EventRecorder, { metadata }: PhaseRun, reason: EventReason, note: string): void {
  const { namespace, name, uid, resourceVersion } = metadata;
  events.record({
    regarding: { apiVersion: API_VERSION, kind: KIND, namespace, name, uid, resourceVersion },
    type: WARNINGS.has(reason) ? 'Warning' : 'Normal',
    reason,
    action: 'Reconcile',
    note,
  });
}
