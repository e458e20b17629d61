import type { METRIC_FAMILIES } from './metric-families.ts';

type Families = typeof METRIC_FAMILIES;
type FamilyName = keyof Families;
type HistogramName = {
  [Name in FamilyName]: Families[Name]['type'] extends 'histogram' ? Name : never;
}[FamilyName];

/** The name of a series as it is scraped: of a histogram one of its three. */
export type SeriesName =
  | Exclude<FamilyName, HistogramName>
  | `${HistogramName}_${'bucket' | 'sum' | 'count'}`;

type FamilyOf<Name extends SeriesName> = Name extends FamilyName
  ? Name
  : Name extends `${infer Family extends HistogramName}_${'bucket' | 'sum' | 'count'}`
    ? Family
    : never;

/** Every label of a declared metric, and what a scrape or a bucket adds. */
export type LabelName =
  | { [Name in FamilyName]: keyof Families[Name]['labels'] }[FamilyName]
  | 'le'
  | 'job'
  | 'instance';

type Labels<Name extends SeriesName> = Families[FamilyOf<Name>]['labels'];
type Value<Values> = Values extends readonly (infer Known extends string)[]
  ? [Known] extends [never]
    ? string
    : Known
  : never;

/** What labels have to be: one value, one of several, or, where the values are open, what a regular expression finds. */
export type Matchers<Name extends SeriesName> = {
  readonly [Label in keyof Labels<Name>]?:
    | Value<Labels<Name>[Label]>
    | readonly Value<Labels<Name>[Label]>[]
    | RegExp;
};

/**
 * A selector of PromQL for a metric that is declared: another name, label or value does not compile.
 * @param except what the labels must not be
 */
export function metric<Name extends SeriesName>(
  name: Name,
  matchers: Matchers<Name> = {},
  except: Matchers<Name> = {},
): string {
  const matched = [...matchersOf(matchers, '='), ...matchersOf(except, '!')];
  return matched.length === 0 ? name : `${name}{${matched.join(', ')}}`;
}

function matchersOf(matchers: object, sign: '=' | '!'): string[] {
  return Object.entries(matchers).map(([label, wanted]: [string, unknown]) => {
    if (wanted instanceof RegExp) return `${label}${sign}~"${wanted.source}"`;
    if (Array.isArray(wanted)) return `${label}${sign}~"${wanted.join('|')}"`;
    return `${label}${sign === '=' ? '=' : '!='}"${String(wanted)}"`;
  });
}

/**
 * A selector for a metric that somebody else declares: the kubelet, or Prometheus itself. What is ours goes through
 * {@link metric}.
 */
export function foreignMetric(name: ForeignMetric, matchers = ''): string {
  return `${name}${matchers === '' ? '' : `{${matchers}}`}`;
}

/** What is asked of others. */
export const FOREIGN_METRICS = [
  'kubelet_volume_stats_available_bytes',
  'kubelet_volume_stats_capacity_bytes',
] as const;
type ForeignMetric = (typeof FOREIGN_METRICS)[number];
