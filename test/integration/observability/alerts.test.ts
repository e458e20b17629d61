import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import type { Alert } from '../../../src/observability/alert.ts';
import { ALERT_GROUPS, makeRuleGroups } from '../../../src/observability/rules.ts';
import type { AlertCase, AlertCases, FiringCase } from './alert-case.ts';
import { CONTROLLER_CASES } from './cases/controller.ts';
import { DEPENDENCY_CASES } from './cases/dependencies.ts';
import { PRODUCT_CASES } from './cases/product.ts';
import { STORE_CASES } from './cases/store.ts';
import { hasPromtool, promtool, testRules } from './promtool.ts';

const CASES = new Map(
  Object.entries({ ...PRODUCT_CASES, ...STORE_CASES, ...CONTROLLER_CASES, ...DEPENDENCY_CASES }),
);
const ALERTS = ALERT_GROUPS.flatMap(({ alerts }) => alerts).map((alert) => ({ key: keyOf(alert), alert }));

/** Several alerts of one name tell themselves apart by their window. */
function keyOf({ name, labels }: Alert): string {
  return [name, ...Object.values(labels ?? {})].join(' ');
}

const available = await hasPromtool();

test('promtool is there in CI', ({ skip }) => {
  const { CI, PROMETHEUS } = process.env;
  skip(CI === undefined || PROMETHEUS === 'optional', 'promtool may be missing here');
  expect(available).toBe(true);
});

test('every alert has cases, and every case an alert', () => {
  expect([...CASES.keys()].toSorted()).toEqual(ALERTS.map(({ key }) => key).toSorted());
});

describe.skipIf(!available)('promtool', () => {
  test('the rule file is one', async () => {
    const path = fileURLToPath(new URL('../../../manifests/prometheus/rules.yaml', import.meta.url));
    const { ok, output } = await promtool('check', 'rules', path);
    expect({ ok, output }).toEqual({
      ok: true,
      output: expect.stringContaining(`${ALERTS.length} rules found`),
    });
  });

  describe.each(ALERTS)('$key', ({ key, alert }) => {
    const { fires, silent } = CASES.get(key) as AlertCases;

    test.each(fires)('fires when $when', async (firing) => {
      const labels = { severity: alert.severity, ...alert.labels, ...firing.labels };
      const bare = { ...alert, summary: '', description: '' };
      const expected = { exp_labels: labels, exp_annotations: annotationsOf(bare) };
      expect(await testRules(groupOf(bare), unitTest(alert, firing, [expected]))).toEqual(content);
      expect(await renderedAnnotations(alert, firing)).toEqual({
        summary: alert.summary,
        description: expect.not.stringMatching(/\{\{|error expanding|NaN|Inf|no value|%!/),
      });
    });

    test.each(silent)('is silent when $when', async (quiet) => {
      expect(await testRules(groupOf(alert), unitTest(alert, quiet, []))).toEqual(content);
    });
  });
});

const content = { ok: true, output: expect.stringContaining('SUCCESS') };

/** The alert alone, so that a case of one costs nothing for the others. */
function groupOf(alert: Alert) {
  return makeRuleGroups([{ name: 'one', interval: '1m', alerts: [alert] }]).map(({ name, rules }) => ({
    name,
    rules,
  }));
}

function annotationsOf(alert: Alert) {
  return groupOf(alert)[0]?.rules[0]?.annotations ?? {};
}

function unitTest({ name }: Alert, { series, at, step = '1m' }: AlertCase, expected: readonly object[]) {
  return {
    interval: step,
    input_series: Object.entries(series).map(([of, values]) => ({ series: of, values })),
    alert_rule_test: [{ eval_time: at, alertname: name, exp_alerts: expected }],
  };
}

/** What people read when it fires: promtool shows it as what it did not expect. */
async function renderedAnnotations(alert: Alert, firing: FiringCase) {
  const { output } = await testRules(groupOf(alert), unitTest(alert, firing, []));
  const read = (name: string) => new RegExp(`${name}="((?:[^"\\\\]|\\\\.)*)"`).exec(output)?.[1];
  return { summary: read('summary'), description: read('description') };
}
