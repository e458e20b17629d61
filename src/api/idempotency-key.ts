import type { IncomingHttpHeaders } from 'node:http';
import { z } from 'zod';
import { problemOf } from '../domain/spelled-fields.ts';
import { fieldProblem, type ProblemError } from './problem.ts';

/** Whether a route can do without a key, and if not, what the key has to be. */
export type KeyRule = 'optional' | 'uuid';

const NAME = 'Idempotency-Key';

/** Characters that are seen in any log and need no escape; nothing is left to be folded or trimmed on the way. */
const VISIBLE_ASCII = /^[!-~]{1,255}$/;

/** The header where a route can do without, as documented. */
export const optionalKeyHeader = z.string().optional().meta({
  pattern: '^(?!""$)[!-~]+$',
  maxLength: 255,
  description:
    'Makes it safe to send the request again: under the same key it is done once, and answered the same. Visible ASCII characters, quoted or bare; a UUID is best.',
});

/** The header where a route wants one, as documented. */
export const uuidKeyHeader = z.string().meta({
  format: 'uuid',
  description:
    'Makes it safe to send the request again: under the same key it is done once, and answered the same.',
  examples: ['0b7c1f0e-5b0c-4a53-9d3e-2d1f6a4c8e11'],
});

/** A string of structured fields (RFC 9651 §3.3.3), as which the draft wants the key. */
const QUOTED = /^"((?:[^"\\]|\\["\\])*)"$/;

/**
 * The key under which a client may send a request again (draft-ietf-httpapi-idempotency-key-header), quoted as the draft
 * has it or bare as most clients send it: both are the same key.
 * @throws ProblemError 400 for one that cannot be used, or is missing where the rule asks for one
 */
export function idempotencyKeyOf(headers: IncomingHttpHeaders, rule: KeyRule): string | undefined {
  const given = headers['idempotency-key'];
  if (given === undefined) {
    if (rule === 'uuid') throw unusable('is missing; send a UUID, and the same one when you try again');
    return undefined;
  }
  const key = typeof given === 'string' ? unquote(given) : '';
  if (!VISIBLE_ASCII.test(key)) throw unusable('must be 1 to 255 visible ASCII characters');
  if (rule === 'uuid' && !z.guid().safeParse(key).success) throw unusable('must be a UUID');
  return rule === 'uuid' ? key.toLowerCase() : key;
}

function unquote(given: string): string {
  const [, quoted] = QUOTED.exec(given) ?? [];
  return quoted === undefined ? given : quoted.replaceAll(/\\(["\\])/g, '$1');
}

function unusable(message: string): ProblemError {
  return fieldProblem([problemOf(NAME, message)]);
}
