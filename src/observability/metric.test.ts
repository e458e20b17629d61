import { expect, test } from 'vitest';
import { metric } from './metric.ts';

test.for([
  { selector: metric('phaserun_inbox_runs'), want: 'phaserun_inbox_runs' },
  {
    selector: metric('phaserun_inbox_attempts_total', { outcome: 'refused' }),
    want: 'phaserun_inbox_attempts_total{outcome="refused"}',
  },
  {
    selector: metric('phaserun_webhook_deliveries_total', { outcome: ['retried', 'failed'] }),
    want: 'phaserun_webhook_deliveries_total{outcome=~"retried|failed"}',
  },
  {
    selector: metric(
      'http_request_duration_milliseconds_bucket',
      { method: 'GET', status: /5../ },
      { route: '/health' },
    ),
    want: 'http_request_duration_milliseconds_bucket{method="GET", status=~"5..", route!="/health"}',
  },
])('$want', ({ selector, want }) => {
  expect(selector).toBe(want);
});

/** Never called: it says what must not compile. */
export function misspelt(): void {
  // @ts-expect-error no such metric
  metric('phaserun_inbox_run');
  // @ts-expect-error a histogram is scraped as three series, none of which has its name
  metric('rsolv_validation_duration_milliseconds');
  // @ts-expect-error no such label
  metric('phaserun_inbox_attempts_total', { result: 'refused' });
  // @ts-expect-error no such value
  metric('phaserun_inbox_attempts_total', { outcome: 'refusd' });
}
