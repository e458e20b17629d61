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

/**
 * RFC 3339. That the day exists is for the API server in the format and for zod in the refinement. The rule
 * also makes the server look at the type, which for values with a format it does not: it let lists pass.
 */
export const timestamp = z
  .string()
  .max(35)
  .regex(TIMESTAMP_PATTERN)
  .refine((text) => parseTimestamp(text) !== undefined)
  .meta({
    format: 'date-time',
    'x-kubernetes-validations': [
      { rule: "self >= timestamp('1970-01-01T00:00:00Z')", message: 'must be a time since 1970' },
    ],
  });

/** RFC 3339, of what the controller alone writes: a rule would be asked of every status write, by the server, four times. */
export const observedAt = z.string().max(35).meta({ format: 'date-time' });

/** A whole number that both a double and an int64 hold. */
export const int64 = z.int().meta({ format: 'int64' });

/** Free text of up to so many characters, which is there or is absent, but never empty; Postgres keeps no NUL. */
export function text(limit: number) {
  return z.string().min(1).max(limit).regex(WITHOUT_NUL);
}

// RE2 has no \u0000, and a literal would be a control character in the source.
const WITHOUT_NUL = new RegExp(String.raw`^[^\x00]*$`);
