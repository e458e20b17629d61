import type { Phase } from './phase.ts';
import type { JsonObject } from './run.ts';

/** How the tests went on the vulnerable and on the fixed commit, as far as the data says. */
export type RedGreen = 'proven' | 'inverted' | 'unproven' | 'unknown';

/** What the columns, the status summary and the session need to know of a payload; nothing here is ever written back into it. */
export interface DerivedResult {
  readonly vulnerabilities?: number;
  readonly validated?: boolean;
  readonly redGreen: RedGreen;
  /** Validation only: `validated: false` and nothing found. */
  readonly falsePositive: boolean;
  readonly trustScore?: number;
  readonly pullRequestUrl?: string;
  readonly pullRequestNumber?: number;
  readonly filesChanged?: number;
  readonly language?: string;
  readonly framework?: string;
}

/** Reads a payload of any client; never throws, whatever the shape: what cannot be read is absent. */
export declare function deriveResult(phase: Phase, data: JsonObject): DerivedResult;
