import { resultWithin } from './deadline.ts';
import { databaseUnavailable } from './upstream-fault.ts';

/**
 * How long a request waits for the database. The API's connections have the server end a statement after as long, so that what
 * nobody waits for any more holds none of them.
 */
export const ANSWER_MS = 10_000;

/**
 * Waits for the database no longer than this. One that is out of reach says so at once; this is for one that hangs.
 * @throws ProblemError 503
 */
export async function inTime<Result>(ms: number, work: Promise<Result>): Promise<Result> {
  const done = await resultWithin(
    ms,
    work.then((result) => ({ result })),
  );
  if (done === undefined) throw databaseUnavailable();
  return done.result;
}
