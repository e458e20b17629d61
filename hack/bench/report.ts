import { type Listing, render } from '../../src/cli/output.ts';
import type { ComparisonResult, Measured } from './comparison.ts';
import type { Machine } from './machine.ts';

/** Everything that one benchmark found out; what is written as JSON. */
export interface Report {
  readonly startedAt: string;
  readonly seconds: number;
  readonly quick: boolean;
  readonly machine: Machine;
  /** Over 1, 5 and 15 minutes. */
  readonly load: { readonly before: readonly number[]; readonly after: readonly number[] };
  readonly results: readonly ComparisonResult[];
}

interface Row extends Measured, Pick<ComparisonResult, 'payloadBytes' | 'concurrency' | 'pauseMs'> {
  /** Absent for a floor. */
  readonly ratio?: number;
}

const LISTING: Listing<Row> = {
  name: ({ name }) => `benchmark/${name}`,
  columns: [
    { header: 'CALL', value: ({ name, ratio }) => (ratio === undefined ? `  ${name}` : name) },
    { header: 'PAYLOAD', value: ({ payloadBytes }) => `${Math.round(payloadBytes / 1000)} KB` },
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

/** The report for people: each of our calls, with the bare calls that are its floor below it. */
export function renderReport({ machine, load, results }: Report): string {
  const rows = results.flatMap(({ ours, floors, ratio, ...load }): Row[] => [
    { ...ours, ...load, ratio },
    ...floors.map((floor) => ({ ...floor, ...load })),
  ]);
  const { versions } = machine;
  return [
    render('table', LISTING, rows),
    `${machine.cpus} CPUs (${machine.cpuModel}), load ${load.before.join(' ')} before, ${load.after.join(' ')} after`,
    Object.entries(versions)
      .map(([name, version]) => `${name} ${version}`)
      .join(', '),
    '',
  ].join('\n');
}
