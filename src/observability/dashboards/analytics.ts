import {
  DashboardBuilder,
  QueryVariableBuilder,
  VariableRefresh,
} from '@grafana/grafana-foundation-sdk/dashboard';
import { PercentUnit, Short } from '@grafana/grafana-foundation-sdk/units';
import { addPanels, bars, type PanelOf, pie, stat, table, timeSeries } from './panels.ts';
import { POSTGRES, postgresVariable, rows, series } from './postgres-query.ts';

/** Who was chosen; of all Grafana makes the list of those that there are. */
const CHOSEN = `customer_id IN (\${customer:sqlstring})`;
const IN_TIME = `${CHOSEN} AND $__timeFilter(created_at)`;
/** Months that the time that is shown has a part of. */
const IN_MONTHS = `${CHOSEN} AND month BETWEEN date_trunc('month', $__timeFrom()::timestamptz, 'UTC') AND $__timeTo()`;
/** Shares are of what came to a result. */
const SUCCESS_RATE = `
  (count(*) FILTER (WHERE outcome = 'succeeded'))::float8
  / nullif(count(*) FILTER (WHERE outcome IN ('succeeded', 'failed')), 0)`;

const PANELS: readonly PanelOf[] = [
  stat(
    {
      title: 'Executions',
      description: 'Runs of all phases that were stored in the time that is shown.',
      unit: Short,
    },
    rows(`SELECT count(*) AS executions FROM analytics_executions WHERE ${IN_TIME}`),
  ),
  stat(
    {
      title: 'Repositories',
      description: 'Repositories that any phase ran over in the time that is shown.',
      unit: Short,
    },
    rows(
      `SELECT count(DISTINCT (customer_id, forge, repository)) AS repositories FROM analytics_executions WHERE ${IN_TIME}`,
    ),
  ),
  stat(
    {
      title: 'Open sessions',
      description: 'Sessions that are pending or active now, whenever they began.',
      unit: Short,
    },
    rows(
      `SELECT count(*) AS sessions FROM analytics_sessions WHERE ${CHOSEN} AND status IN ('pending', 'active')`,
    ),
  ),
  stat(
    {
      title: 'Validation success rate',
      description: 'Share of the conclusive validations that succeeded in the time that is shown.',
      unit: PercentUnit,
    },
    rows(
      `SELECT ${SUCCESS_RATE} AS rate FROM analytics_executions WHERE ${IN_TIME} AND phase = 'validation'`,
    ),
  ),
  stat(
    {
      title: 'Mitigation success rate',
      description: 'Share of the conclusive mitigations that succeeded in the time that is shown.',
      unit: PercentUnit,
    },
    rows(
      `SELECT ${SUCCESS_RATE} AS rate FROM analytics_executions WHERE ${IN_TIME} AND phase = 'mitigation'`,
    ),
  ),
  stat(
    {
      title: 'Average trust score',
      description: 'Of the mitigations in the time that is shown that have one, from 0 to 100.',
      unit: Short,
    },
    rows(`SELECT avg(trust_score) AS "trust score" FROM analytics_executions WHERE ${IN_TIME}`),
  ),
  timeSeries(
    {
      title: 'Success rate by phase and month',
      description: 'Share of the conclusive runs of each phase that succeeded, month by month (UTC).',
      unit: PercentUnit,
    },
    series(`
SELECT date_trunc('month', created_at, 'UTC') AS time, phase AS metric, ${SUCCESS_RATE} AS value
FROM analytics_executions WHERE ${IN_TIME}
GROUP BY 1, 2 ORDER BY 1, 2`),
  ),
  bars(
    {
      title: 'Funnel',
      description:
        'Vulnerabilities that the last scan of each month found, issues that a validation proved, and issues with a pull request.',
      unit: Short,
    },
    rows(`
SELECT coalesce(sum(found), 0)::float8 AS found, coalesce(sum(validated), 0)::float8 AS validated,
  coalesce(sum(fixed), 0)::float8 AS fixed
FROM analytics_funnel WHERE ${IN_MONTHS}`),
  ),
  pie(
    {
      title: 'Sessions by state',
      description: 'Sessions that began in the time that is shown, by the state that they are in now.',
      unit: Short,
    },
    rows(`
SELECT count(*) FILTER (WHERE status = 'pending') AS pending, count(*) FILTER (WHERE status = 'active') AS active,
  count(*) FILTER (WHERE status = 'completed') AS completed, count(*) FILTER (WHERE status = 'failed') AS failed,
  count(*) FILTER (WHERE status = 'expired') AS expired
FROM analytics_sessions WHERE ${IN_TIME}`),
  ),
  table(
    {
      title: 'Funnel by repository',
      description: 'The same for each customer and repository, those with the most vulnerabilities first.',
      unit: Short,
    },
    rows(`
SELECT customer, repository, sum(found)::float8 AS found, sum(validated)::float8 AS validated, sum(fixed)::float8 AS fixed
FROM analytics_funnel WHERE ${IN_MONTHS}
GROUP BY customer, forge, repository ORDER BY found DESC, customer, repository LIMIT 100`),
  ),
  table(
    {
      title: 'Runs by repository and phase',
      description:
        'Runs in the time that is shown by how they came out, for each customer, repository and phase.',
      unit: Short,
    },
    rows(`
SELECT customer, repository, phase, count(*) FILTER (WHERE outcome = 'succeeded') AS succeeded,
  count(*) FILTER (WHERE outcome = 'failed') AS failed, count(*) FILTER (WHERE outcome = 'inconclusive') AS inconclusive,
  count(*) FILTER (WHERE outcome = 'unfinished') AS unfinished
FROM analytics_executions WHERE ${IN_TIME}
GROUP BY customer, forge, repository, phase ORDER BY count(*) DESC, customer, repository, phase LIMIT 100`),
  ),
];

/** What customers achieve, from the rows: as far back as they are kept. */
export function analyticsDashboard(): DashboardBuilder {
  const dashboard = new DashboardBuilder('PhaseRun / Analytics')
    .uid('phaserun-analytics')
    .description('Success by phase and month, and how far what scans found came, by customer and repository.')
    .tags(['phaserun'])
    .readonly()
    .time({ from: 'now-1y', to: 'now' })
    .refresh('5m')
    .timezone('browser')
    .withVariable(postgresVariable())
    .withVariable(customerVariable());
  return addPanels(dashboard, POSTGRES, PANELS);
}

function customerVariable(): QueryVariableBuilder {
  return new QueryVariableBuilder('customer')
    .label('Customer')
    .datasource(POSTGRES)
    .query(
      'SELECT customer AS __text, customer_id::text AS __value FROM analytics_customers ORDER BY customer',
    )
    .refresh(VariableRefresh.OnDashboardLoad)
    .multi(true)
    .includeAll(true)
    .current({ selected: true, text: 'All', value: '$__all' });
}
