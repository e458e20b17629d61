import type { Alert } from '../alert.ts';
import { metric } from '../metric.ts';
import { all, DAY, DAY_BEFORE, last, type Period, total } from '../promql.ts';

/** Runs that have to be there before a share or a mean of them says anything. */
const FEW = 10;
/** The same of a comparison, on either side. */
const FEW_TO_COMPARE = 20;

const FAILED = metric('rsolv_validation_executions_total', { status: 'failed' });
const VALIDATIONS = metric('rsolv_validation_executions_total');
const MITIGATIONS = metric('rsolv_mitigation_executions_total');
/** Inconclusive validations say nothing of success. */
const JUDGED = metric('rsolv_validation_executions_total', { status: ['completed', 'failed'] });

const successRate = (period: Period) =>
  `(1 - (${total(FAILED, period)} or vector(0)) / ${total(JUDGED, period)})`;

const TRUST_COUNT = metric('rsolv_mitigation_trust_score_value_count');
const meanTrust = (period: Period) =>
  `(${total(metric('rsolv_mitigation_trust_score_value_sum'), period)} / ${total(TRUST_COUNT, period)})`;

const DURATION_COUNT = metric('rsolv_validation_duration_milliseconds_count');
const meanDuration = (period: Period) =>
  `(${total(metric('rsolv_validation_duration_milliseconds_sum'), period)} / ${total(DURATION_COUNT, period)})`;

const REPORTED = metric('rsolv_validation_test_reports_total');
const GENERATED = metric('rsolv_validation_tests_total', { outcome: 'generated' });

/** There are enough of these on both sides of a comparison of two days. */
const comparable = (selector: string) =>
  [DAY, DAY_BEFORE].map((period) => `${total(selector, period)} >= ${FEW_TO_COMPARE}`);

/** None were counted; a series that is not there is none, too. */
const none = (selector: string, length: string) => `(${total(selector, last(length))} or vector(0)) == 0`;

/** What the phases achieve. */
export const PRODUCT_ALERTS: readonly Alert[] = [
  {
    name: 'ValidationSuccessRateLow',
    severity: 'critical',
    expr: all(`${successRate(last('1h'))} < 0.5`, `${total(JUDGED, last('1h'))} >= ${FEW}`),
    for: '10m',
    summary: 'Under 50 % of validations succeed',
    description:
      '{{ $value | humanizePercentage }} of the validations of the last hour that were conclusive succeeded.',
  },
  {
    name: 'MitigationTrustScoreLow',
    severity: 'critical',
    expr: all(`${meanTrust(last('1h'))} < 60`, `${total(TRUST_COUNT, last('1h'))} >= ${FEW}`),
    for: '10m',
    summary: 'The average trust score of mitigations is under 60',
    description:
      'The mitigations of the last hour have an average trust score of {{ $value | printf "%.0f" }}.',
  },
  {
    name: 'ValidationDurationHigh',
    severity: 'critical',
    expr: all(`${meanDuration(last('1h'))} / 1000 > 300`, `${total(DURATION_COUNT, last('1h'))} >= ${FEW}`),
    for: '10m',
    summary: 'Validations take over 5 minutes',
    description: 'The validations of the last hour took {{ $value | humanizeDuration }} on average.',
  },
  {
    name: 'ValidationSuccessRateDecreasing',
    severity: 'warning',
    expr: all(`${successRate(DAY_BEFORE)} - ${successRate(DAY)} > 0.1`, ...comparable(JUDGED)),
    for: '30m',
    summary: 'Fewer validations succeed than the day before',
    description:
      'The share of validations that succeed is {{ $value | humanizePercentage }} of all lower in the last 24 h than in the 24 h before.',
  },
  {
    name: 'MitigationTrustScoreDecreasing',
    severity: 'warning',
    expr: all(`${meanTrust(DAY_BEFORE)} - ${meanTrust(DAY)} > 10`, ...comparable(TRUST_COUNT)),
    for: '30m',
    summary: 'Trust scores are lower than the day before',
    description:
      'The average trust score is {{ $value | printf "%.0f" }} points lower in the last 24 h than in the 24 h before.',
  },
  {
    name: 'ValidationDurationIncreasing',
    severity: 'warning',
    expr: all(`${meanDuration(DAY)} / ${meanDuration(DAY_BEFORE)} - 1 > 0.5`, ...comparable(DURATION_COUNT)),
    for: '30m',
    summary: 'Validations take longer than the day before',
    description:
      'Validations of the last 24 h took {{ $value | humanizePercentage }} longer than those of the 24 h before.',
  },
  {
    name: 'NoValidationActivity',
    severity: 'info',
    expr: none(VALIDATIONS, '6h'),
    for: '5m',
    summary: 'No validation has finished in 6 hours',
    description: '{{ $value }} validations were counted in the last 6 hours.',
  },
  {
    name: 'NoMitigationActivity',
    severity: 'info',
    expr: none(MITIGATIONS, '12h'),
    for: '5m',
    summary: 'No mitigation has finished in 12 hours',
    description: '{{ $value }} mitigations were counted in the last 12 hours.',
  },
  {
    name: 'LowTestGenerationRate',
    severity: 'info',
    expr: all(
      `${total(GENERATED, last('6h'))} / ${total(REPORTED, last('6h'))} < 2`,
      `${total(REPORTED, last('6h'))} >= ${FEW}`,
    ),
    for: '30m',
    summary: 'Validations generate under 2 tests each',
    description:
      'The validations of the last 6 hours that say how many tests they generated have {{ $value | printf "%.1f" }} on average.',
  },
];
