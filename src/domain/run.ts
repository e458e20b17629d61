import type { DerivedResult } from './derive.ts';
import type { Forge, Phase, RunStatus } from './phase.ts';
import type { SessionState, SessionTransition } from './session.ts';

/** A JSON object that has passed `findUnstorable`: every store of ours keeps it as it is. */
export type JsonObject = { readonly [key: string]: unknown };

/** A repository as it is identified (lower case) and as people spell it. */
export interface RepositoryName {
  readonly forge: Forge;
  /** Lower case; GitLab groups nest: `group/sub`. */
  readonly namespace: string;
  /** Lower case. */
  readonly name: string;
  /** `namespace/name` as the client spelled it. */
  readonly fullPath: string;
}

/**
 * One run, whole and checked, ready to become a row: what the reconciler makes of a PhaseRun.
 * It says what is wanted; whether a row is written, moved forward or found to be there is decided in
 * the transaction, against the rows as they are.
 */
export interface ArchivableRun {
  /** Id of the execution row. */
  readonly runId: string;
  readonly customerId: string;
  readonly phase: Phase;
  readonly repository: RepositoryName;
  /** `slotOf(…)`: what is taken in order, one run at a time. */
  readonly slot: string;
  readonly issueNumber?: number;
  readonly commitSha?: string;
  readonly branch?: string;
  readonly pipelineRunId?: string;
  /** Join this session instead of the open one. */
  readonly sessionId?: string;
  /** Place in the slot; absent: drawn from the sequence when the row is first written or next moves forward. */
  readonly order?: number;
  /** Of a run without such a place: the one that it was given when it was a row, for when that row is lost to a restore. */
  readonly formerOrder?: number;
  readonly status: RunStatus;
  /** RFC 3339. */
  readonly startedAt?: string;
  readonly completedAt?: string;
  readonly errorMessage?: string;
  /** Absent when the payload is already in Postgres under `sha256`. */
  readonly data?: JsonObject;
  /** The payload was looked for and is kept nowhere: the run may be found archived or purged, but not be written. */
  readonly payloadIsGone?: true;
  /** Hex SHA-256 of the canonical JSON (RFC 8785). */
  readonly sha256: string;
  /** Bytes of the canonical JSON. */
  readonly sizeBytes: number;
  readonly derived: DerivedResult;
  readonly apiKeyId?: string;
  readonly phaseRun: { readonly namespace: string; readonly name: string };
}

/** What became of a run; every member but `quarantined` and `rejected` is a receipt. */
export type ArchiveOutcome = ArchivedRun | QuarantinedRun | RejectedRun;

export interface ArchivedRun {
  /**
   * `inserted` and `updated` wrote a row, `unchanged` found this very run as it is, `duplicate` found its
   * neighbour in the slot equal, `deleted` and `purged` found a tombstone. The last four write no row.
   */
  readonly disposition: 'inserted' | 'updated' | 'unchanged' | 'duplicate' | 'deleted' | 'purged';
  /** The row that holds the result: the run's own, or for a duplicate its neighbour's. */
  readonly executionId: string;
  readonly sha256: string;
  /** RFC 3339. */
  readonly committedAt: string;
  /** Place of that row in its slot; absent where there is none. */
  readonly order?: number;
  readonly incarnation: string;
  readonly session?: { readonly id: string; readonly state: SessionState };
  /** Transitions that this transaction recorded; empty when it was run before. */
  readonly transitions: readonly SessionTransition[];
  /** Where this transaction completed the session as fixed: seconds since its first validation was stored. */
  readonly secondsToFix?: number;
}

export interface QuarantinedRun {
  readonly disposition: 'quarantined';
  readonly sqlstate: string;
  readonly message: string;
}

export interface RejectedRun {
  readonly disposition: 'rejected';
  /** PascalCase, for the Accepted condition. */
  readonly reason: 'SessionNotFound' | 'RunIdTaken' | 'PayloadNotFound' | 'StatusMovedBackward';
  readonly message: string;
}

/** Payload of the notification that a committed run sends to the API replicas waiting for it. */
export interface CommittedRun {
  readonly runId: string;
  readonly disposition: ArchiveOutcome['disposition'];
  /** SHA-256 of the committed content, so that whoever waits for an update is not woken by the row before it. */
  readonly sha256: string;
  /** As committed, for the same reason: what completes a run may have the digest it had while running. Absent when only a tombstone is known. */
  readonly status?: RunStatus;
  readonly executionId?: string;
  readonly sessionId?: string;
  readonly sessionState?: SessionState;
}
