type ClosedLabels<Name extends string> = Readonly<Record<Name, readonly string[]>>;

/**
 * Creates every series of a counter whose labels are closed sets, at 0: `rate()` sees the first event, and an
 * alert on "none of these" has a series to look at.
 */
export function zeroCounter<Name extends string>(
  counter: { inc(labels: Record<NoInfer<Name>, string>, value: number): void },
  closed: ClosedLabels<Name>,
): void {
  for (const labels of combinations(closed)) counter.inc(labels, 0);
}

/** The same for a histogram. */
export function zeroHistogram<Name extends string>(
  histogram: { zero(labels: Record<NoInfer<Name>, string>): void },
  closed: ClosedLabels<Name>,
): void {
  for (const labels of combinations(closed)) histogram.zero(labels);
}

function combinations<Name extends string>(closed: ClosedLabels<Name>): Record<Name, string>[] {
  const names = Object.keys(closed) as Name[];
  let rows: Partial<Record<Name, string>>[] = [{}];
  for (const name of names) {
    rows = rows.flatMap((row) => closed[name].map((value) => ({ ...row, [name]: value })));
  }
  return rows as Record<Name, string>[];
}
