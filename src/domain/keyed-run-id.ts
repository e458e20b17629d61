import { createHash } from 'node:crypto';

/** What a run is the one run of. */
export interface KeyedRun {
  readonly customerId: string;
  /** The client's Idempotency-Key. */
  readonly key: string;
  /** Hex SHA-256 of what is stored. */
  readonly fingerprint: string;
}

/**
 * Id of the run that a customer stores under a key, whichever of its callers sends it and however often: a UUID of the form
 * that leaves its bits to the application (RFC 9562 §5.8), here those of a SHA-256. What is stored is part of it, so that a key
 * which two callers of a customer happen to share leads to two runs.
 */
export function keyedRunId({ customerId, key, fingerprint }: KeyedRun): string {
  const bytes = createHash('sha256')
    .update(JSON.stringify([customerId, key, fingerprint]))
    .digest();
  bytes.writeUInt8((bytes.readUInt8(6) & 0x0f) | 0x80, 6);
  bytes.writeUInt8((bytes.readUInt8(8) & 0x3f) | 0x80, 8);
  const hex = bytes.toString('hex', 0, 16);
  return hex.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5');
}
