import type { DataSourceRef } from '@grafana/grafana-foundation-sdk/common';
import { DatasourceVariableBuilder } from '@grafana/grafana-foundation-sdk/dashboard';
import { DataqueryBuilder, PromQueryFormat } from '@grafana/grafana-foundation-sdk/prometheus';
import { last } from '../promql.ts';
import type { PanelQuery } from './panels.ts';

/** The Prometheus that whoever looks has chosen. */
export const PROMETHEUS: DataSourceRef = { type: 'prometheus', uid: '${datasource}' };

/** Lets whoever looks choose it. */
export function prometheusVariable(): DatasourceVariableBuilder {
  return new DatasourceVariableBuilder('datasource').label('Prometheus').type('prometheus').multi(false);
}

/** All of the time that the dashboard shows. */
export const SHOWN = last('$__range');

/** What lies between two points of a graph, and never so short that it holds fewer than a few scrapes. */
export const STEP = last('$__rate_interval');

/**
 * The state at the end of the time that is shown.
 * @param legend what each series is called, with labels as `{{label}}`
 */
export function now(expr: string, legend: string): PanelQuery {
  return { make: (refId) => query(expr, legend, refId).instant() };
}

/** The same for buckets by `le`, which Grafana takes apart. */
export function buckets(expr: string): PanelQuery {
  return { make: (refId) => query(expr, '{{le}}', refId).instant().format(PromQueryFormat.Heatmap) };
}

/** A point for each step of the time that is shown. */
export function over(expr: string, legend: string): PanelQuery {
  return { make: (refId) => query(expr, legend, refId).range() };
}

function query(expr: string, legend: string, refId: string): DataqueryBuilder {
  return new DataqueryBuilder().datasource(PROMETHEUS).expr(expr).legendFormat(legend).refId(refId);
}
