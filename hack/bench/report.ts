import { type Listing, render } from '../../src/cli/output.ts';
import type { ComparisonResult, Measured } from './comparison.ts';
import { type Figure, isMet, type Target } from './figure.ts';
import type { Machine } from './machine.ts';
import type { Findings } from './section.ts';

/** Everything that one benchmark found out. */
export interface Report {
  /** RFC 3339. */
  readonly startedAt: string;
  readonly seconds: number;
  readonly quick: boolean;
  readonly machine: Machine;
  /** Over 1, 5 and 15 minutes. */
  readonly load: { readonly before: readonly number[]; readonly after: readonly number[] };
  readonly sections: readonly SectionReport[];
}

export interface SectionReport extends Findings {
  readonly name: string;
  readonly seconds: number;
}

interface CallRow
  extends Measured,
    Pick<ComparisonResult, 'payloadBytes' | 'history' | 'concurrency' | 'pauseMs'> {
  /** Absent for a floor. */
  readonly ratio?: number;
}

const CALLS: Listing<CallRow> = {
  name: ({ name }) => `call/${name}`,
  columns: [
    { header: 'CALL', value: ({ name, ratio }) => (ratio === undefined ? `  ${name}` : name) },
    { header: 'PAYLOAD', value: ({ payloadBytes }) => `${Math.round(payloadBytes / 1000)} KB` },
    { header: 'HISTORY', value: ({ history }) => history },
    {
      header: 'AT ONCE',
      value: ({ concurrency, pauseMs }) => `${concurrency}${pauseMs > 0 ? ' paced' : ''}`,
    },
    { header: 'CALLS', value: ({ calls }) => calls },
    { header: 'P50 MS', value: ({ p50 }) => p50.toFixed(2) },
    { header: 'P99 MS', value: ({ p99 }) => p99.toFixed(2) },
    {
      header: 'PER SECOND',
      value: ({ perSecond, pauseMs }) => (pauseMs > 0 ? undefined : Math.round(perSecond)),
    },
    { header: 'TIMES ITS FLOOR', value: ({ ratio }) => ratio?.toFixed(2) },
  ],
};

const FIGURES: Listing<Figure> = {
  name: ({ name }) => `figure/${name}`,
  columns: [
    { header: 'FIGURE', value: ({ name }) => name },
    { header: 'VALUE', value: ({ value, unit }) => `${formatValue(value)} ${unit}` },
    { header: 'TARGET', value: ({ target }) => target && formatTarget(target) },
    { header: 'MET', value: ({ value, target }) => target && (isMet(value, target) ? 'yes' : 'no') },
  ],
};

/** The report for people: of each section its calls, each with the bare calls that are its floor below it, and its figures. */
export function renderReport({ machine, load, sections }: Report): string {
  const { versions } = machine;
  return [
    ...sections.map(renderSection),
    `${machine.cpus} CPUs (${machine.cpuModel}), load ${load.before.join(' ')} before, ${load.after.join(' ')} after`,
    Object.entries(versions)
      .map(([name, version]) => `${name} ${version}`)
      .join(', '),
    summarise(sections),
    '',
  ].join('\n');
}

/** The report as JSON; each figure that has a target says whether it was `met`. */
export function reportJson(report: Report): string {
  const sections = report.sections.map((section) => ({
    ...section,
    figures: section.figures.map((figure) => ({
      ...figure,
      ...(figure.target && { met: isMet(figure.value, figure.target) }),
    })),
  }));
  return `${JSON.stringify({ ...report, sections }, null, 2)}\n`;
}

function renderSection({ name, seconds, calls = [], figures }: SectionReport): string {
  const rows = calls.flatMap(({ ours, floors, ratio, ratios: _, ...load }): CallRow[] => [
    { ...ours, ...load, ratio },
    ...floors.map((floor) => ({ ...floor, ...load })),
  ]);
  return `# ${name}, ${seconds} s\n${render('table', CALLS, rows)}${render('table', FIGURES, figures)}`;
}

function summarise(sections: readonly SectionReport[]): string {
  const held = sections
    .flatMap(({ figures }) => figures)
    .flatMap(({ value, target }) => (target === undefined ? [] : [isMet(value, target)]));
  return `${held.filter(Boolean).length} of ${held.length} targets met`;
}

function formatTarget(target: Target): string {
  return 'atMost' in target ? `at most ${target.atMost}` : `at least ${target.atLeast}`;
}

/** Three digits that count, or all before the point. */
function formatValue(value: number): string {
  return Math.abs(value) >= 100 ? String(Math.round(value)) : value.toPrecision(3);
}
