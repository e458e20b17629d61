import { readFileSync } from 'node:fs';
import { z } from 'zod';

const panel = z.object({
  title: z.string(),
  targets: z.array(
    z.object({
      refId: z.string(),
      expr: z.string().optional(),
      legendFormat: z.string().optional(),
      rawSql: z.string().optional(),
    }),
  ),
});

const dashboard = z.object({ title: z.string(), panels: z.array(panel) });

/** One query of one panel, as it stands in the file. */
export interface PanelQuery {
  readonly panel: string;
  /** What tells it from the others of the panel; labels as `{{label}}`. */
  readonly legend: string;
  /** PromQL or SQL, with Grafana's variables and macros. */
  readonly text: string;
}

/** The dashboards in `manifests/grafana/dashboards`. */
export type DashboardFile = 'phases' | 'control-plane' | 'analytics';

/** The queries of a dashboard as people import it. */
export function readPanelQueries(file: DashboardFile): readonly PanelQuery[] {
  const path = new URL(`../../manifests/grafana/dashboards/${file}.json`, import.meta.url);
  const { panels } = dashboard.parse(JSON.parse(readFileSync(path, 'utf8')));
  return panels.flatMap(({ title, targets }) =>
    targets.map(({ refId, expr, rawSql, legendFormat }) => ({
      panel: title,
      legend: legendFormat ?? refId,
      text: expr ?? rawSql ?? '',
    })),
  );
}

/** What a series is called: the legend with its labels. */
export function fillLegend(legend: string, labels: Readonly<Record<string, string>>): string {
  return legend.replaceAll(/\{\{(\w+)\}\}/g, (_, label: string) => labels[label] ?? '');
}

/** The PromQL that Grafana would send: all repositories and languages unless one is given, over one stretch of time. */
export function resolvePromql(
  text: string,
  chosen: { readonly period: string; readonly repo?: string; readonly language?: string },
): string {
  return resolve(text, {
    $__range: chosen.period,
    $__rate_interval: chosen.period,
    $repo: chosen.repo ?? '.*',
    $language: chosen.language ?? '.*',
  });
}

/** The SQL that Grafana would send for these customers, from a time to now. */
export function resolveSql(
  text: string,
  chosen: { readonly customerIds: readonly string[]; readonly from: Date },
): string {
  const [from, to] = [chosen.from, new Date()].map((time) => `'${time.toISOString()}'`);
  const filled = text
    .replaceAll(/\$__timeFilter\((\w+)\)/g, `$1 BETWEEN ${from} AND ${to}`)
    .replaceAll('$__timeFrom()', String(from))
    .replaceAll('$__timeTo()', String(to));
  return resolve(filled, { '${customer:sqlstring}': chosen.customerIds.map((id) => `'${id}'`).join(',') });
}

function resolve(text: string, values: Readonly<Record<string, string>>): string {
  const resolved = Object.entries(values).reduce(
    (rest, [name, value]) => rest.replaceAll(name, () => value),
    text,
  );
  const [unknown] = /\$[\w{].*/.exec(resolved) ?? [];
  if (unknown !== undefined) throw new Error(`nothing is known of ${unknown}`);
  return resolved;
}
