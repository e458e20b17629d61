import {
  DashboardBuilder,
  DashboardCursorSync,
  QueryVariableBuilder,
  VariableRefresh,
  VariableSort,
} from '@grafana/grafana-foundation-sdk/dashboard';
import { Milliseconds, PercentUnit, Seconds, Short } from '@grafana/grafana-foundation-sdk/units';
import { metric, type SeriesName } from '../metric.ts';
import { mean, quantile, share, sumBy, total } from '../promql.ts';
import { addPanels, bars, counts, gauge, type PanelOf, pie, stat, timeSeries } from './panels.ts';
import { buckets, now, over, PROMETHEUS, prometheusVariable, SHOWN, STEP } from './prometheus-query.ts';

/** What whoever looks has chosen. */
const REPO = { repo: /$repo/ } as const;
const CHOSEN = { ...REPO, language: /$language/ } as const;
/** What is inconclusive says nothing of success. */
const JUDGED = { ...CHOSEN, status: ['completed', 'failed'] } as const;
const FAILED = { ...CHOSEN, status: 'failed' } as const;

const SCANS = metric('rsolv_scan_executions_total', REPO);
const VULNERABILITIES = metric('rsolv_scan_vulnerabilities_total', REPO);
const VALIDATIONS = metric('rsolv_validation_executions_total', CHOSEN);
const MITIGATIONS = metric('rsolv_mitigation_executions_total', CHOSEN);
const TESTS = metric('rsolv_validation_tests_total', CHOSEN);
const GENERATED = metric('rsolv_validation_tests_total', { ...CHOSEN, outcome: 'generated' });
const REPORTS = metric('rsolv_validation_test_reports_total', CHOSEN);
const INVERTED = metric('rsolv_validation_inverted_total', CHOSEN);
const SESSIONS_OPEN = metric('rsolv_sessions_open');
const SESSIONS_ENTERED = metric('rsolv_sessions_total');

const VALIDATION_MS = {
  sum: metric('rsolv_validation_duration_milliseconds_sum', CHOSEN),
  count: metric('rsolv_validation_duration_milliseconds_count', CHOSEN),
  buckets: metric('rsolv_validation_duration_milliseconds_bucket', CHOSEN),
};
const MITIGATION_MS = {
  sum: metric('rsolv_mitigation_duration_milliseconds_sum', CHOSEN),
  count: metric('rsolv_mitigation_duration_milliseconds_count', CHOSEN),
  buckets: metric('rsolv_mitigation_duration_milliseconds_bucket', CHOSEN),
};
const TRUST = {
  sum: metric('rsolv_mitigation_trust_score_value_sum', CHOSEN),
  count: metric('rsolv_mitigation_trust_score_value_count', CHOSEN),
  buckets: metric('rsolv_mitigation_trust_score_value_bucket', CHOSEN),
};
const TO_MITIGATE = {
  sum: metric('rsolv_time_to_mitigate_seconds_sum', REPO),
  count: metric('rsolv_time_to_mitigate_seconds_count', REPO),
};

const PANELS: readonly PanelOf[] = [
  gauge(
    {
      title: 'Validation success rate',
      description:
        'Share of the conclusive validations that reached a verdict; a false positive is a success. Inverted and failed ones are not.',
      unit: PercentUnit,
    },
    now(
      `1 - ${share(metric('rsolv_validation_executions_total', FAILED), metric('rsolv_validation_executions_total', JUDGED), SHOWN)}`,
      'validations',
    ),
  ),
  gauge(
    {
      title: 'Mitigation success rate',
      description: 'Share of the conclusive mitigations that were not failed or shown to fix nothing.',
      unit: PercentUnit,
    },
    now(
      `1 - ${share(metric('rsolv_mitigation_executions_total', FAILED), metric('rsolv_mitigation_executions_total', JUDGED), SHOWN)}`,
      'mitigations',
    ),
  ),
  stat(
    {
      title: 'Executions',
      description:
        'Finished runs of each phase. Scans have no language, so its choice leaves them as they are.',
      unit: Short,
    },
    now(total(SCANS, SHOWN), 'scans'),
    now(total(VALIDATIONS, SHOWN), 'validations'),
    now(total(MITIGATIONS, SHOWN), 'mitigations'),
  ),
  stat(
    {
      title: 'Average trust score',
      description: 'Of the mitigations that have one, from 0 to 100; under 60 an alert fires.',
      unit: Short,
    },
    now(mean(TRUST.sum, TRUST.count, SHOWN), 'trust score'),
  ),
  stat(
    {
      title: 'Inverted tests',
      description:
        'Validations whose tests passed on the vulnerable commit, where they should have failed: they prove nothing.',
      unit: Short,
    },
    now(total(INVERTED, SHOWN), 'inverted'),
  ),
  stat(
    {
      title: 'Time to mitigate',
      description: 'Average time from the first validation of an issue to its pull request.',
      unit: Seconds,
    },
    now(mean(TO_MITIGATE.sum, TO_MITIGATE.count, SHOWN), 'average'),
  ),
  counts(
    {
      title: 'Validations by status',
      description: 'Finished validations in each step of time: completed, failed or inconclusive.',
      unit: Short,
    },
    over(total(VALIDATIONS, STEP, ['status']), '{{status}}'),
  ),
  counts(
    {
      title: 'Mitigations by status',
      description: 'Finished mitigations in each step of time: completed, failed or inconclusive.',
      unit: Short,
    },
    over(total(MITIGATIONS, STEP, ['status']), '{{status}}'),
  ),
  counts(
    {
      title: 'Scans by status',
      description: 'Finished scans in each step of time: completed or failed.',
      unit: Short,
    },
    over(total(SCANS, STEP, ['status']), '{{status}}'),
  ),
  timeSeries(
    {
      title: 'Average duration',
      description: 'Of the runs that say how long they took. Validations over 5 minutes make an alert fire.',
      unit: Milliseconds,
    },
    over(mean(VALIDATION_MS.sum, VALIDATION_MS.count, STEP), 'validation'),
    over(mean(MITIGATION_MS.sum, MITIGATION_MS.count, STEP), 'mitigation'),
  ),
  timeSeries(
    {
      title: '95th percentile of duration',
      description: '5 % of the runs took longer; as exact as the buckets are narrow.',
      unit: Milliseconds,
    },
    over(quantile(0.95, VALIDATION_MS.buckets, STEP), 'validation'),
    over(quantile(0.95, MITIGATION_MS.buckets, STEP), 'mitigation'),
  ),
  bars(
    {
      title: 'Trust scores',
      description: 'Mitigations by trust score; each bar is up to and including its number.',
      unit: Short,
    },
    buckets(total(TRUST.buckets, SHOWN, ['le'])),
  ),
  counts(
    {
      title: 'Tests',
      description: 'Tests that validations generated, and how many of them passed and failed.',
      unit: Short,
    },
    over(total(TESTS, STEP, ['outcome']), '{{outcome}}'),
  ),
  timeSeries(
    {
      title: 'Tests per validation',
      description: 'Tests generated by each validation that says how many; under 2 an alert fires.',
      unit: Short,
    },
    over(`${total(GENERATED, STEP)} / ${total(REPORTS, STEP)}`, 'generated'),
  ),
  bars(
    {
      title: 'Vulnerabilities found',
      description: 'What scans found, by severity; repeated scans count what they find again.',
      unit: Short,
    },
    now(total(VULNERABILITIES, SHOWN, ['severity']), '{{severity}}'),
  ),
  pie(
    {
      title: 'Validations by language',
      description: 'Spellings of one language are one; what is not of the fixed set is other.',
      unit: Short,
    },
    now(total(VALIDATIONS, SHOWN, ['language']), '{{language}}'),
  ),
  pie(
    {
      title: 'Validations by framework',
      description: 'Web or test framework, as the runner names it; what is not of the fixed set is other.',
      unit: Short,
    },
    now(total(VALIDATIONS, SHOWN, ['framework']), '{{framework}}'),
  ),
  bars(
    {
      title: 'Top repositories',
      description: 'The ten repositories with the most validations.',
      unit: Short,
    },
    now(`topk(10, ${total(VALIDATIONS, SHOWN, ['repo'])})`, '{{repo}}'),
  ),
  timeSeries(
    {
      title: 'Open sessions',
      description: 'Sessions of all repositories that are pending or active, as the leader counts them.',
      unit: Short,
    },
    over(`${sumBy(['state'])}(${SESSIONS_OPEN})`, '{{state}}'),
  ),
  bars(
    {
      title: 'Sessions by state entered',
      description: 'How many sessions of all repositories entered each state.',
      unit: Short,
    },
    now(total(SESSIONS_ENTERED, SHOWN, ['state']), '{{state}}'),
  ),
];

/** What the phases achieve. */
export function phasesDashboard(): DashboardBuilder {
  const dashboard = new DashboardBuilder('PhaseRun / Phases')
    .uid('phaserun-phases')
    .description('What scans find, validations prove and mitigations fix.')
    .tags(['phaserun'])
    .readonly()
    .tooltip(DashboardCursorSync.Crosshair)
    .time({ from: 'now-24h', to: 'now' })
    .refresh('1m')
    .timezone('browser')
    .withVariable(prometheusVariable())
    .withVariable(labelVariable('repo', 'Repository'))
    .withVariable(labelVariable('language', 'Language'));
  return addPanels(dashboard, PROMETHEUS, PANELS);
}

/** Of a repository that was scanned alone there is no validation yet. */
const COUNTED: readonly SeriesName[] = [
  'rsolv_scan_executions_total',
  'rsolv_validation_executions_total',
  'rsolv_mitigation_executions_total',
];

function labelVariable(name: 'repo' | 'language', label: string): QueryVariableBuilder {
  const families = `{__name__=~"${COUNTED.join('|')}"}`;
  return new QueryVariableBuilder(name)
    .label(label)
    .datasource(PROMETHEUS)
    .query({ query: `label_values(${families}, ${name})`, refId: name })
    .refresh(VariableRefresh.OnTimeRangeChanged)
    .sort(VariableSort.AlphabeticalCaseInsensitiveAsc)
    .multi(true)
    .includeAll(true)
    .allValue('.*')
    .current({ selected: true, text: 'All', value: '$__all' });
}
