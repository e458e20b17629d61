import { makeRuleGroups } from '../../src/observability/rules.ts';
import { type GeneratedFile, toManifest } from './generated-file.ts';

const SOURCE = 'src/observability/alerts';
const QUERIES = { lineWidth: 0 };

/** The alerts, for `rule_files` of Prometheus. */
export const rules: GeneratedFile = {
  path: 'manifests/prometheus/rules.yaml',
  make: () => toManifest(SOURCE, [{ groups: makeRuleGroups() }], QUERIES),
};

/** The same for the Prometheus operator. */
export const prometheusRule: GeneratedFile = {
  path: 'manifests/prometheus/prometheus-rule.yaml',
  make: () =>
    toManifest(
      SOURCE,
      [
        {
          apiVersion: 'monitoring.coreos.com/v1',
          kind: 'PrometheusRule',
          metadata: { name: 'phaserun', labels: { 'app.kubernetes.io/name': 'phaserun' } },
          spec: { groups: makeRuleGroups() },
        },
      ],
      QUERIES,
    ),
};
