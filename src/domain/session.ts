/** States of a session; the last three are terminal. */
export const SESSION_STATES = ['pending', 'active', 'completed', 'failed', 'expired'] as const;
export type SessionState = (typeof SESSION_STATES)[number];

/** One recorded step; `from` is null for the state that a session is born in. */
export interface SessionTransition {
  readonly from: SessionState | null;
  readonly to: SessionState;
}
