import { createHash } from 'node:crypto';
import { canonicalJson } from './canonical-json.ts';

/** An audit event as its customer's chain seals it: every column, as text wherever a number could lose digits. */
export interface ChainedEvent {
  readonly id: number;
  /** Null: nobody known. */
  readonly customerId: string | null;
  readonly eventType: string;
  readonly role: string | null;
  /** RFC 3339, UTC, with microseconds. */
  readonly timestamp: string;
  readonly traceId: string | null;
  /** The JSON as Postgres prints it. */
  readonly metadata: string;
}

/** A place in a chain, and the hash there. */
export interface ChainLink {
  readonly sequence: number;
  /** Hex SHA-256. */
  readonly hash: string;
}

/** What comes before the first event. */
export const CHAIN_START: ChainLink = { sequence: 0, hash: '0'.repeat(64) };

/**
 * Adds an event to a chain: its hash is the SHA-256 of the hash before it, as bytes, and of the canonical JSON
 * (RFC 8785) of the event with its sequence. Whatever is changed, removed, inserted or moved changes every hash after it.
 */
export function nextLink(previous: ChainLink, event: ChainedEvent): ChainLink {
  const sequence = previous.sequence + 1;
  const canonical = canonicalJson({ ...event, sequence });
  const hash = createHash('sha256').update(previous.hash, 'hex').update(canonical).digest('hex');
  return { sequence, hash };
}
