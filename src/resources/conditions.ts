/** A condition as every Kubernetes tool reads it (metav1.Condition, KEP-1623). */
export interface Condition {
  readonly type: string;
  readonly status: 'True' | 'False' | 'Unknown';
  readonly observedGeneration?: number;
  /** RFC 3339. */
  readonly lastTransitionTime: string;
  readonly reason: string;
  readonly message: string;
}

/** The conditions of a PhaseRun. */
export const CONDITION_TYPES = {
  Accepted: 'The run belongs to a customer and can be kept; False says why not.',
  Archived: 'The result is a committed row of Postgres, named in status.archive.',
  SessionAdvanced: 'The session of the run is where this run wanted it.',
} as const;
export type ConditionType = keyof typeof CONDITION_TYPES;

/** Why `Accepted` is True. */
export const ACCEPTED_REASONS = {
  Accepted: 'The run belongs to a customer and its content can be kept.',
} as const;
export type AcceptedReason = keyof typeof ACCEPTED_REASONS;

interface RejectionMeaning {
  readonly meaning: string;
  /** Whether only an edit of the PhaseRun can mend it, rather than a change of its surroundings. */
  readonly terminal: boolean;
}

/** Why `Accepted` is False. */
export const REJECTION_REASONS = {
  NamespaceNotBound: { meaning: 'The Kubernetes namespace is bound to no customer.', terminal: false },
  ForgeAccountNotVerified: {
    meaning: 'The customer has no verified account for the namespace of the repository.',
    terminal: false,
  },
  SessionNotFound: { meaning: 'The session to join does not exist.', terminal: true },
  RunIdTaken: { meaning: 'The id of the run belongs to another run.', terminal: true },
  PayloadNotFound: { meaning: 'No payload is kept under the digest that the run refers to.', terminal: true },
  PayloadTooLarge: { meaning: 'The readable payload is larger than a PhaseRun may carry.', terminal: true },
  InvalidPayload: { meaning: 'The payload holds what could not be kept as it is.', terminal: true },
  InvalidRepository: { meaning: 'The repository has a name that its forge would not allow.', terminal: true },
  StatusMovedBackward: { meaning: 'The row of the run is further than the PhaseRun says.', terminal: true },
  Quarantined: {
    meaning: 'Postgres refused the content, which is kept in quarantined_runs.',
    terminal: true,
  },
} as const satisfies Readonly<Record<string, RejectionMeaning>>;
export type RejectionReason = keyof typeof REJECTION_REASONS;

/** Rejections that nothing but an edit of the PhaseRun can mend. */
export const TERMINAL_REJECTIONS: ReadonlySet<string> = new Set(
  Object.entries(REJECTION_REASONS)
    .filter(([, { terminal }]) => terminal)
    .map(([reason]) => reason),
);

/** Why `Archived` is as it is; all but `Rejected` go with True. */
export const ARCHIVED_REASONS = {
  Stored: 'The result has a row of its own.',
  Duplicate: 'The result equals its neighbour in the slot, whose row stands for both.',
  Deleted: 'The result was deleted on request; nothing was stored.',
  Purged: 'The row had reached the end of its retention; nothing was stored again.',
  Rejected: 'The run was not accepted, so nothing was stored.',
} as const;
export type ArchivedReason = keyof typeof ARCHIVED_REASONS;

/** Why `SessionAdvanced` is as it is. */
export const SESSION_REASONS = {
  Advanced: 'The session is in the state that this run calls for.',
  Unchanged: 'The session had moved on already, and this run does not set it back.',
  NoSession: 'The run stored nothing, so it moved no session.',
} as const;
export type SessionReason = keyof typeof SESSION_REASONS;

/** Reasons of the Kubernetes Events about PhaseRuns. */
export const EVENT_REASONS = {
  Archived: 'The result became a row.',
  Rejected: 'The run was not accepted.',
  SessionCompleted: 'The run completed its session.',
  SessionFailed: 'The run failed its session.',
  RedGreenViolation: 'The RED tests of a validation pass on the vulnerable commit.',
  PoliciesMissing: 'An admission policy that guards PhaseRuns is not in place.',
} as const;
export type EventReason = keyof typeof EVENT_REASONS;
