import type { Phase } from '../../domain/phase.ts';

/** What can be wrong between a PhaseRun and the rows, or among the rows. */
export const DISCREPANCY_KINDS = [
  /** A receipt vouches for a row that is not there. */
  'RowMissing',
  /** The row is there, and the PhaseRun's status names another one, or none. */
  'ReceiptStale',
  /** Row and PhaseRun hold different results under one id. */
  'ContentDiffers',
  /** What a row holds is not what its digest says. */
  'RowDamaged',
  /** The PhaseRun is of a customer who does not exist: it can never be archived. */
  'OrphanPhaseRun',
  /** The newest execution of an open session calls for a later state. */
  'SessionBehind',
  /** The state of a session was never recorded as a transition. */
  'SessionUnrecorded',
] as const;

export type DiscrepancyKind = (typeof DISCREPANCY_KINDS)[number];

/** One thing that does not agree. */
export interface Discrepancy {
  readonly kind: DiscrepancyKind;
  /** `namespace/name`, where a PhaseRun has part in it. */
  readonly phaseRun?: string;
  /** The run or session that it is about. */
  readonly id: string;
  readonly customerId?: string;
  /** What was found, in a sentence. */
  readonly message: string;
  /** What mends it without anybody's judgement; absent: somebody has to decide, and `message` says what about. */
  readonly repair?: DiscrepancyRepair;
}

/** `archive-again`: the controller makes rows and status anew. `restore-content`: the payload is put back into the row. */
export type DiscrepancyRepair =
  | { readonly kind: 'archive-again' }
  | { readonly kind: 'restore-content'; readonly phase: Phase };
