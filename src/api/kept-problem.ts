import { PROBLEMS, ProblemError } from './problem.ts';
import { isKept } from './replayable-answer.ts';
import { faultOf } from './upstream-fault.ts';

/**
 * The refusal behind an error, where the same request will always be refused.
 * @throws the error, where it may be answered otherwise later
 */
export function keptProblem(error: unknown): ProblemError {
  const problem = problemBehind(error) ?? faultOf(error);
  if (problem === undefined || !isKept(PROBLEMS[problem.code].status)) throw error;
  return problem;
}

/** The problem that was thrown below a transaction, which wraps whatever passes through it. */
export function problemBehind(error: unknown): ProblemError | undefined {
  for (let cause = error; cause instanceof Error; cause = cause.cause) {
    if (cause instanceof ProblemError) return cause;
  }
  return undefined;
}
