import { Client } from 'pg';
import { type DashboardFile, fillLegend, readPanelQueries, resolvePromql, resolveSql } from './panels.ts';
import { listAlerts, queryPrometheus } from './prometheus-api.ts';

const METRICS = [
  'rsolv_validation_executions_total',
  'rsolv_validation_tests_total',
  'rsolv_mitigation_executions_total',
  'rsolv_mitigation_trust_score_value_sum',
];
/** Panels are asked about the last day. */
const SHOWN = { period: '1d', from: new Date(Date.now() - 86_400_000) };

/**
 * Line by line: the metrics of the phases, the state of each alert, the value of each panel.
 * @param readerUrl the Postgres of the dashboard that asks it, as the login of dashboards
 * @throws PrometheusError, and what pg throws, where one cannot be evaluated
 */
export async function* describeAll(prometheus: string, readerUrl: string): AsyncGenerator<string> {
  yield '\nMetrics';
  for (const name of METRICS) yield* describeMetric(prometheus, name);
  yield '\nAlerts';
  for (const { name, state } of await listAlerts(prometheus)) yield `  ${state.padEnd(8)}  ${name}`;
  for (const dashboard of ['phases', 'control-plane'] as const)
    yield* describePanels(dashboard, (text, legend) => readPromql(prometheus, text, legend));
  yield* describeAnalytics(readerUrl);
}

async function* describeMetric(prometheus: string, name: string): AsyncGenerator<string> {
  for (const { labels, value } of await queryPrometheus(
    prometheus,
    `sum without (job, instance) (${name})`,
  )) {
    const pairs = Object.entries(labels).map(([label, of]) => `${label}="${of}"`);
    yield `  ${name}{${pairs.join(', ')}} ${value}`;
  }
}

async function* describePanels(
  dashboard: DashboardFile,
  read: (text: string, legend: string) => Promise<string>,
): AsyncGenerator<string> {
  yield `\nDashboard ${dashboard}`;
  for (const { panel, legend, text } of readPanelQueries(dashboard))
    yield `  ${panel}: ${(await read(text, legend)) || 'no data'}`;
}

async function readPromql(prometheus: string, text: string, legend: string): Promise<string> {
  const samples = await queryPrometheus(prometheus, resolvePromql(text, SHOWN));
  return samples.map(({ labels, value }) => `${fillLegend(legend, labels)} ${round(value)}`).join(', ');
}

async function* describeAnalytics(readerUrl: string): AsyncGenerator<string> {
  const client = new Client({ connectionString: readerUrl });
  await client.connect();
  try {
    const { rows } = await client.query<{ id: string }>('SELECT customer_id AS id FROM analytics_customers');
    const chosen = { ...SHOWN, customerIds: rows.map(({ id }) => id) };
    yield* describePanels('analytics', async (text) => {
      const answer = await client.query<Record<string, unknown>>(resolveSql(text, chosen));
      return answer.rows.map(describeRow).join('; ');
    });
  } finally {
    await client.end();
  }
}

function describeRow(row: Readonly<Record<string, unknown>>): string {
  return Object.entries(row)
    .map(([name, value]) => `${name} ${round(value)}`)
    .join(' ');
}

function round(value: unknown): string {
  if (value instanceof Date) return value.toISOString();
  return typeof value === 'number' ? String(Number(value.toPrecision(4))) : String(value);
}
