import { type Listing, render } from '../../src/cli/output.ts';
import type { Violation } from './history.ts';
import { renderSamples, type Sample } from './soak.ts';
import type { Trial } from './trial.ts';

/** What is printed at the end; `-o json` prints all of it. */
export interface Report {
  readonly seed: number;
  readonly seconds: number;
  readonly plant: string | undefined;
  readonly acknowledged: number;
  readonly stores: number;
  readonly rows: number;
  readonly reads: number;
  readonly slots: number;
  /** Faults that came. */
  readonly faults: Readonly<Record<string, number>>;
  readonly impossible: Readonly<Record<string, string>>;
  readonly counts: Readonly<Record<string, number>>;
  readonly violations: readonly Violation[];
  /** Of a soak. */
  readonly samples: readonly Sample[];
  /** How to do it again. */
  readonly again: string;
}

export function makeReport(
  trial: Trial,
  options: Pick<Report, 'seed' | 'seconds' | 'plant' | 'again'>,
): Report {
  const { verdict, history, series, faults, impossible, samples } = trial;
  return {
    ...options,
    acknowledged: verdict.acknowledged,
    stores: history.stores.length,
    rows: verdict.rows,
    reads: history.reads.length,
    slots: series,
    faults: Object.fromEntries([...faults].toSorted(([one], [other]) => one.localeCompare(other))),
    impossible: Object.fromEntries(impossible),
    counts: history.counts,
    violations: verdict.violations,
    samples,
  };
}

const MOST_VIOLATIONS = 12;

export function renderReport(report: Report): string {
  const kinds = Map.groupBy(report.violations, ({ kind }) => kind);
  const faults = Object.entries(report.faults).map(([what, times]) => ({ what, times }));
  const totals = [
    { what: 'faults', times: faults.reduce((sum, { times }) => sum + times, 0) },
    { what: 'slots', times: report.slots },
    { what: 'stores', times: report.stores },
    { what: 'acknowledged', times: report.acknowledged },
    { what: 'rows', times: report.rows },
    { what: 'reads checked', times: report.reads },
    ...Object.entries(report.counts).map(([what, times]) => ({ what, times })),
    ...['lost', 'doubled'].map((kind) => ({ what: kind, times: kinds.get(kind)?.length ?? 0 })),
    { what: 'violations', times: report.violations.length },
  ];
  const violations = report.violations
    .slice(0, MOST_VIOLATIONS)
    .map(
      ({ kind, series, message }) =>
        `VIOLATED ${kind}${series === undefined ? '' : ` in ${series}`}: ${message}`,
    );
  const more = report.violations.length - violations.length;
  return [
    render('table', listing('FAULT', 'TIMES'), faults),
    renderSamples(report.samples),
    ...Object.entries(report.impossible).map(([name, why]) => `${name} left out: ${why}\n`),
    render('table', listing('OUTCOME', 'NUMBER'), totals),
    ...(violations.length > 0 ? [`${violations.join('\n')}\n`] : []),
    ...(more > 0 ? [`and ${more} more: see -o json\n`] : []),
    ...(violations.length > 0 ? [`again: ${report.again}\n`] : []),
  ]
    .filter((block) => block !== '')
    .join('\n');
}

function listing(what: string, times: string): Listing<{ readonly what: string; readonly times: number }> {
  return {
    name: (row) => row.what,
    columns: [
      { header: what, value: (row) => row.what },
      { header: times, value: (row) => row.times },
    ],
  };
}
