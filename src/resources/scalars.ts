import { z } from 'zod';
import { parseTimestamp, TIMESTAMP_PATTERN } from '../domain/timestamp.ts';

/** Any UUID. */
export const uuid = z
  .string()
  .max(36)
  .regex(/^[0-9a-fA-F]{8}-([0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}$/);

/** Hex SHA-256. */
export const sha256 = z
  .string()
  .max(64)
  .regex(/^[0-9a-f]{64}$/);

/** RFC 3339; the API server checks the calendar by the format, zod by the refinement. */
export const timestamp = z
  .string()
  .max(35)
  .regex(TIMESTAMP_PATTERN)
  .refine((text) => parseTimestamp(text) !== undefined)
  .meta({ format: 'date-time' });

/** A whole number that both a double and an int64 hold. */
export const int64 = z.int().meta({ format: 'int64' });

/** Free text of up to so many characters, which is there or is absent, but never empty. */
export function text(limit: number) {
  return z.string().min(1).max(limit);
}
