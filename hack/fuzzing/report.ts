import { z } from 'zod';

const count = z.int().nonnegative();

/** Of schemathesis's JSON report, what a verdict needs. */
export const fuzzReport = z.object({
  seed: z.int(),
  stop_reason: z.string(),
  operations: z.object({ total: count, tested: count }),
  test_cases: z.object({ generated: count }),
  failures: z.array(
    z.object({ code: z.string(), title: z.string(), count, operations: z.array(z.string()) }),
  ),
  errors: z.array(z.unknown()),
  /** By operation and phase: how many of the requests that the document allows were answered with a 2xx. */
  valid_rates: z.record(z.string(), z.record(z.string(), z.object({ accepted: count }))),
});

export type FuzzReport = z.infer<typeof fuzzReport>;

/** What a run found out. */
export interface Verdict {
  /** Operations that answered a 2xx, and those that never did. */
  readonly reached: readonly string[];
  readonly missed: readonly string[];
  /** Sentences; none when all is well. */
  readonly problems: readonly string[];
}

/** Least part of the operations that has to reach a 2xx: what is refused at the door proves little. */
const REACHED_AT_LEAST = 0.5;

/** Judges a run: every kind of failure counts, server errors and undocumented answers among them. */
export function judge(report: FuzzReport): Verdict {
  const { operations, failures, errors, stop_reason: stopReason } = report;
  const rates = Object.entries(report.valid_rates).map(([operation, phases]) => ({
    operation,
    isReached: Object.values(phases).some(({ accepted }) => accepted > 0),
  }));
  const { reached = [], missed = [] } = Object.groupBy(rates, ({ isReached }) =>
    isReached ? 'reached' : 'missed',
  );
  const isTooFew = operations.total === 0 || reached.length < operations.total * REACHED_AT_LEAST;
  return {
    reached: reached.map(({ operation }) => operation),
    missed: missed.map(({ operation }) => operation),
    problems: [
      ...(stopReason === 'completed' ? [] : [`the run did not come to its end: ${stopReason}`]),
      ...(operations.tested < operations.total ? ['not every operation was tested'] : []),
      ...failures.map(
        ({ code, title, count, operations: where }) => `${code} ${title}: ${count}, at ${where.join(', ')}`,
      ),
      ...(errors.length > 0 ? [`schemathesis met ${errors.length} errors of its own`] : []),
      ...(isTooFew ? [`only ${reached.length} of ${operations.total} operations answered a 2xx`] : []),
    ],
  };
}
