import { expect, test } from 'vitest';
import { createMetrics } from './metrics.ts';

test('series of closed label sets exist at 0 before the first event', async () => {
  const text = await createMetrics({ defaultMetrics: false }).expose();
  for (const series of [
    'phaserun_store_acknowledged_total{durability="row"} 0',
    'phaserun_store_stage_duration_seconds_count{stage="create"} 0',
    'phaserun_auth_outcomes_total{outcome="invalid"} 0',
    'rsolv_sessions_total{state="completed"} 0',
    'rsolv_session_transitions_total{from="pending",to="active"} 0',
  ]) {
    expect(text).toContain(series);
  }
});

test('two registries do not share series', async () => {
  const [one, two] = [createMetrics({ defaultMetrics: false }), createMetrics({ defaultMetrics: false })];
  one.store.acknowledged.inc({ durability: 'row' });
  expect(await two.expose()).toContain('phaserun_store_acknowledged_total{durability="row"} 0');
});

test('a validation is counted under normalised labels, tests it did not report are not', async () => {
  const metrics = createMetrics({ defaultMetrics: false });
  metrics.product.recordValidation({
    repo: 'acme/shop',
    language: 'JS',
    framework: undefined,
    durationMs: 299_000,
    status: 'completed',
    inverted: true,
    tests: { generated: 3 },
  });
  const text = await metrics.expose();
  const labels = 'repo="acme/shop",language="javascript",framework="unknown"';
  expect(text).toContain(`rsolv_validation_executions_total{${labels},status="completed"} 1`);
  expect(text).toContain(`rsolv_validation_inverted_total{${labels}} 1`);
  expect(text).toContain(`rsolv_validation_tests_total{${labels},outcome="generated"} 3`);
  expect(text).toContain(`rsolv_validation_test_reports_total{${labels}} 1`);
  expect(text).not.toContain('outcome="passed"');
  expect(text).toMatch(/rsolv_validation_duration_milliseconds_bucket\{le="300000",[^}]*\} 1/);
});

test('past the series limit a repository is counted as other', async () => {
  const metrics = createMetrics({ defaultMetrics: false, seriesLimit: 1 });
  metrics.product.recordScan({ repo: 'acme/one', status: 'completed', severities: { high: 2, unknown: 1 } });
  metrics.product.recordScan({ repo: 'acme/two', status: 'completed', severities: {} });
  const text = await metrics.expose();
  expect(text).toContain('rsolv_scan_executions_total{repo="acme/one",status="completed"} 1');
  expect(text).toContain('rsolv_scan_executions_total{repo="other",status="completed"} 1');
  expect(text).toContain('rsolv_scan_vulnerabilities_total{repo="acme/one",severity="high"} 2');
  expect(text).toContain('rsolv_scan_vulnerabilities_total{repo="other",severity="unknown"} 1');
});

test('a mitigation without a score has no observation', async () => {
  const metrics = createMetrics({ defaultMetrics: false });
  const measure = { repo: 'acme/shop', language: 'go', framework: 'gin', durationMs: undefined } as const;
  metrics.product.recordMitigation({
    ...measure,
    status: 'completed',
    trustScore: undefined,
    secondsToMitigate: undefined,
  });
  expect(await metrics.expose()).not.toContain('rsolv_mitigation_trust_score_value_count');
  metrics.product.recordMitigation({
    ...measure,
    status: 'completed',
    trustScore: 100,
    secondsToMitigate: 90,
  });
  expect(await metrics.expose()).toMatch(/rsolv_mitigation_trust_score_value_sum\{[^}]*\} 100/);
});

test('every family has help and no name is declared twice', async () => {
  const text = await createMetrics({ defaultMetrics: true }).expose();
  const names = [...text.matchAll(/^# HELP (\S+) (.+)$/gm)].map((match) => match[1]);
  expect(new Set(names).size).toBe(names.length);
  expect(names).toContain('nodejs_eventloop_lag_seconds');
});

test('no label is one that a scrape gives its target, which would hide it', async () => {
  const ofTargets = new Set(['job', 'instance', 'namespace', 'pod', 'container', 'service', 'endpoint']);
  const families = await createMetrics({ defaultMetrics: true }).families();
  expect(families.length).toBeGreaterThan(100);
  const hidden = families.flatMap(({ name, labels }) =>
    Object.keys(labels).map((label) => ({ name, label })),
  );
  expect(hidden.filter(({ label }) => ofTargets.has(label))).toEqual([]);
});

test('ten thousand repositories make no more series than the limit allows, and lose no count', async () => {
  const metrics = createMetrics({ defaultMetrics: false });
  const before = seriesOf(await metrics.expose()).length;
  for (let index = 0; index < 10_000; index += 1) {
    const repo = `acme/${index}-"\\\n`;
    const technology = { repo, language: `l${index}`, framework: `f${index}`, durationMs: index };
    metrics.product.recordScan({ repo, status: 'completed', severities: { high: 1 } });
    metrics.product.recordValidation({
      ...technology,
      status: 'completed',
      inverted: true,
      tests: { generated: 1, passed: 1, failed: 1 },
    });
    metrics.product.recordMitigation({
      ...technology,
      status: 'failed',
      trustScore: index % 101,
      secondsToMitigate: index,
    });
  }
  const series = seriesOf(await metrics.expose());
  // Of 11 families, 4 of which are histograms of 13 to 15 series.
  expect(series.length - before).toBeLessThanOrEqual(7 * 2_001 + 4 * 15 * 2_001);
  const counted = series.filter((line) => line.startsWith('rsolv_validation_executions_total'));
  expect(counted.length).toBe(2_001);
  expect(counted.map((line) => Number(line.split(' ').at(-1))).reduce((sum, value) => sum + value)).toBe(
    10_000,
  );
  expect(counted.find((line) => line.includes('repo="other"'))).toMatch(/ 8000$/);
});

function seriesOf(text: string): string[] {
  return text.split('\n').filter((line) => line !== '' && !line.startsWith('#'));
}
