import type { IncomingHttpHeaders } from 'node:http';
import { problemOf } from '../domain/spelled-fields.ts';
import { parseTimestamp } from '../domain/timestamp.ts';
import { fieldProblem } from './problem.ts';

/** Header of a result that was kept elsewhere while this API could not be reached: when it was stored there, RFC 3339. */
export const STORED_AT_HEADER = 'x-phase-stored-at';

/** No result is taken for older than this: a machine whose clock never was set would hide all it stores. */
const OLDEST_MS = 30 * 24 * 3_600_000;

/**
 * When a result was stored first, RFC 3339; undefined for one that comes straight here. The sender's clock may be wrong:
 * what it claims of the future is not believed, so that the header makes a result older or changes nothing.
 * @throws ProblemError 400 for what is no time
 */
export function storedAtOf(headers: IncomingHttpHeaders, now = Date.now()): string | undefined {
  const given = headers[STORED_AT_HEADER];
  if (given === undefined) return undefined;
  const time = typeof given === 'string' ? parseTimestamp(given) : undefined;
  if (time === undefined) {
    throw fieldProblem([
      problemOf(STORED_AT_HEADER, 'must be an RFC 3339 time such as 2026-02-11T09:14:03.220Z'),
    ]);
  }
  const storedAt = Date.parse(time);
  return storedAt >= now ? undefined : new Date(Math.max(storedAt, now - OLDEST_MS)).toISOString();
}
