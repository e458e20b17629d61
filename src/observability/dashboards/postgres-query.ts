import type { Builder, Dataquery } from '@grafana/grafana-foundation-sdk/cog';
import type { DataSourceRef } from '@grafana/grafana-foundation-sdk/common';
import { DatasourceVariableBuilder } from '@grafana/grafana-foundation-sdk/dashboard';
import type { PanelQuery } from './panels.ts';

const TYPE = 'grafana-postgresql-datasource';

/** The Postgres that whoever looks has chosen. */
export const POSTGRES: DataSourceRef = { type: TYPE, uid: '${datasource}' };

/** Lets whoever looks choose it. */
export function postgresVariable(): DatasourceVariableBuilder {
  return new DatasourceVariableBuilder('datasource').label('Postgres').type(TYPE).multi(false);
}

/** The rows of a statement; the SDK has no builder for this data source. */
export function rows(sql: string): PanelQuery {
  return { make: (refId) => statement(sql, 'table', refId) };
}

/** Points of series: columns `time`, `metric` and `value`. */
export function series(sql: string): PanelQuery {
  return { make: (refId) => statement(sql, 'time_series', refId) };
}

function statement(sql: string, format: 'table' | 'time_series', refId: string): Builder<Dataquery> {
  const query = {
    refId,
    datasource: POSTGRES,
    rawQuery: true,
    editorMode: 'code',
    format,
    rawSql: sql.trim(),
  };
  return { build: () => ({ ...query, _implementsDataqueryVariant: () => undefined }) };
}
