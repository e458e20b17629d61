import type { Alert, AlertGroup } from './alert.ts';
import { CONTROLLER_ALERTS } from './alerts/controller.ts';
import { DEPENDENCY_ALERTS } from './alerts/dependencies.ts';
import { PRODUCT_ALERTS } from './alerts/product.ts';
import { STORE_ALERTS } from './alerts/store.ts';

/** Every alert, in the groups that Prometheus evaluates. */
export const ALERT_GROUPS: readonly AlertGroup[] = [
  { name: 'phaserun-product', interval: '1m', alerts: PRODUCT_ALERTS },
  { name: 'phaserun-store', interval: '30s', alerts: STORE_ALERTS },
  { name: 'phaserun-controller', interval: '30s', alerts: CONTROLLER_ALERTS },
  { name: 'phaserun-dependencies', interval: '30s', alerts: DEPENDENCY_ALERTS },
];

/** Where the pages of `docs/runbooks` are to be read, unless somebody keeps them elsewhere. */
const RUNBOOKS = 'https://phases.rsolv.dev/docs/runbooks';

/** The groups as a rule file of Prometheus, and a PrometheusRule, hold them. */
export function makeRuleGroups(groups: readonly AlertGroup[] = ALERT_GROUPS, runbooks = RUNBOOKS) {
  return groups.map(({ name, interval, alerts }) => ({
    name,
    interval,
    rules: alerts.map((alert) => makeRule(alert, runbooks)),
  }));
}

function makeRule(alert: Alert, runbooks: string) {
  const { name, severity, expr, labels, summary, description } = alert;
  return {
    alert: name,
    expr,
    ...(alert.for !== undefined && { for: alert.for }),
    labels: { severity, ...labels },
    annotations: { summary, description, runbook_url: `${runbooks}/${name}.md` },
  };
}
