import { createHash } from 'node:crypto';
import { canonicalJson } from './canonical-json.ts';
import type { JsonObject } from './run.ts';

export interface Digest {
  /** Hex SHA-256 of the canonical JSON's UTF-8. */
  readonly sha256: string;
  readonly canonical: string;
  /** Bytes of the canonical JSON in UTF-8. */
  readonly sizeBytes: number;
}

/**
 * What a payload is known by: two that say the same have the same digest, however their keys were ordered
 * and their numbers spelled (RFC 8785).
 * @param data in which `findUnstorable` finds nothing
 */
export function digestOf(data: JsonObject): Digest {
  const canonical = canonicalJson(data);
  const sha256 = createHash('sha256').update(canonical).digest('hex');
  return { sha256, canonical, sizeBytes: Buffer.byteLength(canonical) };
}
