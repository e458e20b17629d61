import type { DerivedResult } from './derive.ts';
import type { Phase, RunStatus } from './phase.ts';

/** States of a session; the last three are terminal. */
export const SESSION_STATES = ['pending', 'active', 'completed', 'failed', 'expired'] as const;
export type SessionState = (typeof SESSION_STATES)[number];

/** How the work on an issue came out, where a run says so. */
export const SESSION_OUTCOMES = ['fixed', 'false_positive', 'unproven'] as const;
export type SessionOutcome = (typeof SESSION_OUTCOMES)[number];

/** One recorded step; `from` is null for the state that a session is born in. */
export interface SessionTransition {
  readonly from: SessionState | null;
  readonly to: SessionState;
}

/** Where a run wants its session to be, and what it says of the work. */
export interface SessionPlan {
  readonly target: SessionState;
  readonly outcome?: SessionOutcome;
}

/**
 * A session is born pending: somebody means to work. The first run that works makes it active, and it
 * stays active from validation through mitigation, however many runs that takes. A run that settles the
 * matter completes it, a failed run fails it. A session that nobody moves expires, from either open
 * state. Nothing leaves the last three: work taken up again is a new session.
 */
export const SESSION_TRANSITIONS: Readonly<Record<SessionState, readonly SessionState[]>> = {
  pending: ['active', 'expired'],
  active: ['completed', 'failed', 'expired'],
  completed: [],
  failed: [],
  expired: [],
};

/** Whether one step leads from `from` to `to`. Staying is not a step: callers take it as nothing to do. */
export function canTransition(from: SessionState, to: SessionState): boolean {
  return SESSION_TRANSITIONS[from].includes(to);
}

/** Whether nothing leads out of this state. */
export function isTerminal(state: SessionState): boolean {
  return SESSION_TRANSITIONS[state].length === 0;
}

/**
 * The steps from a session's state, or from none yet, to the target, fewest first; each is to be recorded.
 * Empty when the session is there already or no way leads there: a run never reopens or sets back.
 */
export function pathTo(from: SessionState | null, target: SessionState): readonly SessionTransition[] {
  if (from === target) return [];
  const next: readonly SessionState[] = from === null ? ['pending'] : SESSION_TRANSITIONS[from];
  const paths = next.flatMap((to) => {
    const rest = pathTo(to, target);
    return to === target || rest.length > 0 ? [[{ from, to }, ...rest]] : [];
  });
  return paths.toSorted((a, b) => a.length - b.length)[0] ?? [];
}

/** What a run wants of the session of its subject. */
export function planSession(run: {
  readonly phase: Phase;
  readonly status: RunStatus;
  readonly derived: DerivedResult;
}): SessionPlan {
  return run.status === 'completed'
    ? COMPLETED[run.phase](run.derived)
    : { target: OPEN_OR_FAILED[run.status] };
}

const OPEN_OR_FAILED = { pending: 'pending', running: 'active', failed: 'failed' } as const;

const COMPLETED: Readonly<Record<Phase, (derived: DerivedResult) => SessionPlan>> = {
  scan: () => ({ target: 'completed' }),
  validation: ({ redGreen, falsePositive }) => {
    if (redGreen === 'inverted') return { target: 'active', outcome: 'unproven' };
    return falsePositive ? { target: 'completed', outcome: 'false_positive' } : { target: 'active' };
  },
  mitigation: ({ redGreen }) =>
    redGreen === 'unproven'
      ? { target: 'active', outcome: 'unproven' }
      : { target: 'completed', outcome: 'fixed' },
};
