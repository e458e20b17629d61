import { type CasesByAlert, NOTHING } from '../alert-case.ts';

const VALIDATION = 'repo="acme/shop", language="go", framework="gin"';
const validations = (status: string, repo = 'acme/shop') =>
  `rsolv_validation_executions_total{repo="${repo}", language="go", framework="gin", status="${status}"}`;
const MITIGATIONS = `rsolv_mitigation_executions_total{${VALIDATION}, status="completed"}`;
const TRUST_SUM = `rsolv_mitigation_trust_score_value_sum{${VALIDATION}}`;
const TRUST_COUNT = `rsolv_mitigation_trust_score_value_count{${VALIDATION}}`;
const DURATION_SUM = `rsolv_validation_duration_milliseconds_sum{${VALIDATION}}`;
const DURATION_COUNT = `rsolv_validation_duration_milliseconds_count{${VALIDATION}}`;
const GENERATED = `rsolv_validation_tests_total{${VALIDATION}, outcome="generated"}`;
const REPORTS = `rsolv_validation_test_reports_total{${VALIDATION}}`;

/** Twelve repositories, each of which has had its first run in the last hour. */
const FIRST_RUNS = Object.fromEntries(
  Array.from({ length: 12 }, (_, index) => [validations('failed', `acme/repo-${index}`), '_x90 1+0x60']),
);

/** Samples every 5 minutes: a day with some two hours before, and a day. */
const TWO_DAYS = { step: '5m', at: '2d2h' };
const days = (before: number, after: number) => `0+${before}x312 ${312 * before}+${after}x400`;

/** What the product alerts are to do. */
export const PRODUCT_CASES: CasesByAlert = {
  ValidationSuccessRateLow: {
    fires: [
      {
        when: 'a third succeeds',
        series: { [validations('failed')]: '0+2x180', [validations('completed')]: '0+1x180' },
        at: '2h',
      },
      { when: 'the first runs of many repositories fail', series: FIRST_RUNS, at: '2h' },
    ],
    silent: [
      {
        when: 'two thirds succeed',
        series: { [validations('failed')]: '0+1x180', [validations('completed')]: '0+2x180' },
        at: '2h',
      },
      {
        when: 'most are inconclusive, and the others succeed',
        series: { [validations('inconclusive')]: '0+9x180', [validations('completed')]: '0+1x180' },
        at: '2h',
      },
      {
        when: 'a few alone have failed',
        series: { [validations('failed')]: '0+0x90 1+1x8 9+0x90' },
        at: '2h',
      },
      { when: 'there are none', series: NOTHING, at: '2h' },
    ],
  },
  MitigationTrustScoreLow: {
    fires: [{ when: 'it is 59', series: { [TRUST_SUM]: '0+59x180', [TRUST_COUNT]: '0+1x180' }, at: '2h' }],
    silent: [{ when: 'it is 60', series: { [TRUST_SUM]: '0+60x180', [TRUST_COUNT]: '0+1x180' }, at: '2h' }],
  },
  ValidationDurationHigh: {
    fires: [
      {
        when: 'they take 301 s',
        series: { [DURATION_SUM]: '0+301000x180', [DURATION_COUNT]: '0+1x180' },
        at: '2h',
      },
    ],
    silent: [
      {
        when: 'they take 299 s',
        series: { [DURATION_SUM]: '0+299000x180', [DURATION_COUNT]: '0+1x180' },
        at: '2h',
      },
    ],
  },
  ValidationSuccessRateDecreasing: {
    fires: [
      {
        when: '70 % succeed, and 90 % did',
        series: { [validations('completed')]: days(9, 7), [validations('failed')]: days(1, 3) },
        ...TWO_DAYS,
      },
    ],
    silent: [
      {
        when: '85 % succeed, and 90 % did',
        series: { [validations('completed')]: days(90, 85), [validations('failed')]: days(10, 15) },
        ...TWO_DAYS,
      },
      {
        when: 'there were few the day before',
        series: { [validations('completed')]: days(0.05, 7), [validations('failed')]: days(0, 3) },
        ...TWO_DAYS,
      },
    ],
  },
  MitigationTrustScoreDecreasing: {
    fires: [
      {
        when: 'it is 68, and was 80',
        series: { [TRUST_SUM]: days(80, 68), [TRUST_COUNT]: days(1, 1) },
        ...TWO_DAYS,
      },
    ],
    silent: [
      {
        when: 'it is 72, and was 80',
        series: { [TRUST_SUM]: days(80, 72), [TRUST_COUNT]: days(1, 1) },
        ...TWO_DAYS,
      },
    ],
  },
  ValidationDurationIncreasing: {
    fires: [
      {
        when: 'they take 160 s, and took 100',
        series: { [DURATION_SUM]: days(100_000, 160_000), [DURATION_COUNT]: days(1, 1) },
        ...TWO_DAYS,
      },
    ],
    silent: [
      {
        when: 'they take 140 s, and took 100',
        series: { [DURATION_SUM]: days(100_000, 140_000), [DURATION_COUNT]: days(1, 1) },
        ...TWO_DAYS,
      },
    ],
  },
  NoValidationActivity: {
    fires: [
      { when: 'there is no series', series: NOTHING, at: '10m' },
      {
        when: 'nothing is counted for six hours',
        series: { [validations('completed')]: '5+0x200' },
        step: '5m',
        at: '10h',
      },
    ],
    silent: [
      {
        when: 'some are counted',
        series: { [validations('failed')]: '0+0x100 1+0x100' },
        step: '5m',
        at: '10h',
      },
      {
        when: 'there was the first of a repository',
        series: { [validations('completed')]: '_x100 1+0x100' },
        step: '5m',
        at: '10h',
      },
    ],
  },
  NoMitigationActivity: {
    fires: [
      { when: 'there is no series', series: NOTHING, at: '10m' },
      {
        when: 'nothing is counted for 12 hours',
        series: { [MITIGATIONS]: '5+0x300' },
        step: '5m',
        at: '20h',
      },
    ],
    silent: [
      {
        when: 'one was counted 11 hours ago',
        series: { [MITIGATIONS]: '5+0x107 6+0x200' },
        step: '5m',
        at: '20h',
      },
    ],
  },
  LowTestGenerationRate: {
    fires: [
      {
        when: 'they generate 1.5',
        series: { [GENERATED]: '0+3x800', [REPORTS]: '0+2x800', [validations('completed')]: '0+2x800' },
        at: '8h',
      },
    ],
    silent: [
      {
        when: 'those that say so generate 2.5, and most do not say',
        series: { [GENERATED]: '0+5x800', [REPORTS]: '0+2x800', [validations('completed')]: '0+50x800' },
        at: '8h',
      },
    ],
  },
};
