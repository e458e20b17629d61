import { beforeAll, describe, expect, test } from 'vitest';
import { kubectl } from './commands.ts';
import { NAMESPACE, podsOf, RELEASE } from './release.ts';
import { until } from './requests.ts';

/** The alerts that users of old know by name. */
const NAMED_ALERTS = [
  'ValidationSuccessRateLow',
  'MitigationTrustScoreLow',
  'ValidationDurationHigh',
  'ValidationSuccessRateDecreasing',
  'MitigationTrustScoreDecreasing',
  'ValidationDurationIncreasing',
  'NoValidationActivity',
  'NoMitigationActivity',
  'LowTestGenerationRate',
];

/** Finds pods by the usual annotations, in our namespace alone, and looks at the rules that the chart brings. */
const CONFIGURATION = `
global: { scrape_interval: 2s, evaluation_interval: 2s }
rule_files: [/etc/prometheus-rules/*.yaml]
scrape_configs:
  - job_name: pods
    kubernetes_sd_configs: [{ role: pod, namespaces: { names: [${NAMESPACE}] } }]
    relabel_configs:
      - { source_labels: [__meta_kubernetes_pod_annotation_prometheus_io_scrape], action: keep, regex: "true" }
      - source_labels: [__meta_kubernetes_pod_ip, __meta_kubernetes_pod_annotation_prometheus_io_port]
        separator: ":"
        target_label: __address__
      - { source_labels: [__meta_kubernetes_pod_annotation_prometheus_io_path], target_label: __metrics_path__ }
      - { source_labels: [__meta_kubernetes_pod_name], target_label: pod }
`;

const OBJECT = { name: 'prometheus', namespace: NAMESPACE };
const OBJECTS = [
  { apiVersion: 'v1', kind: 'ServiceAccount', metadata: OBJECT },
  {
    apiVersion: 'rbac.authorization.k8s.io/v1',
    kind: 'Role',
    metadata: OBJECT,
    rules: [{ apiGroups: [''], resources: ['pods'], verbs: ['get', 'list', 'watch'] }],
  },
  {
    apiVersion: 'rbac.authorization.k8s.io/v1',
    kind: 'RoleBinding',
    metadata: OBJECT,
    roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'Role', name: 'prometheus' },
    subjects: [{ kind: 'ServiceAccount', ...OBJECT }],
  },
  { apiVersion: 'v1', kind: 'ConfigMap', metadata: OBJECT, data: { 'prometheus.yml': CONFIGURATION } },
  {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: OBJECT,
    spec: {
      serviceAccountName: 'prometheus',
      securityContext: {
        runAsNonRoot: true,
        runAsUser: 65_534,
        fsGroup: 65_534,
        seccompProfile: { type: 'RuntimeDefault' },
      },
      containers: [
        {
          name: 'prometheus',
          image: 'docker.io/prom/prometheus:v3.5.0',
          args: ['--config.file=/etc/prometheus/prometheus.yml', '--storage.tsdb.path=/prometheus'],
          readinessProbe: { httpGet: { path: '/-/ready', port: 9090 }, periodSeconds: 1 },
          securityContext: { allowPrivilegeEscalation: false, capabilities: { drop: ['ALL'] } },
          volumeMounts: [
            { name: 'configuration', mountPath: '/etc/prometheus' },
            { name: 'rules', mountPath: '/etc/prometheus-rules' },
            { name: 'data', mountPath: '/prometheus' },
          ],
        },
      ],
      volumes: [
        { name: 'configuration', configMap: { name: 'prometheus' } },
        { name: 'rules', configMap: { name: `${RELEASE}-prometheus-rules` } },
        { name: 'data', emptyDir: {} },
      ],
    },
  },
];

interface Target {
  readonly labels: { readonly pod: string };
  readonly health: string;
}
interface RuleGroup {
  readonly rules: readonly { readonly name: string; readonly health: string }[];
}

export function testMonitoring(): void {
  describe('a Prometheus in the cluster', () => {
    beforeAll(async () => {
      const list = { apiVersion: 'v1', kind: 'List', items: OBJECTS };
      await kubectl(['apply', '-f', '-'], { stdin: JSON.stringify(list) });
      const ready = ['--for=condition=Ready', 'pod/prometheus', '--timeout=120s'];
      await kubectl(['wait', '-n', NAMESPACE, ...ready]);
    });

    test('scrapes every API and controller pod', async () => {
      const pods = [...(await podsOf('api')), ...(await podsOf('controller'))];
      await until('all targets are up', async () => {
        const { activeTargets } = await askPrometheus<{ activeTargets: Target[] }>('targets?state=active');
        const up = activeTargets.filter(({ health }) => health === 'up');
        expect(up.map(({ labels }) => `pod/${labels.pod}`).toSorted()).toEqual(pods.toSorted());
        expect(up).toHaveLength(activeTargets.length);
      });
    });

    test('has all nine named alerts, and can evaluate every rule', async () => {
      await until('every rule was evaluated', async () => {
        const { groups } = await askPrometheus<{ groups: RuleGroup[] }>('rules?type=alert');
        const rules = groups.flatMap(({ rules }) => rules);
        expect(rules.map(({ name }) => name)).toEqual(expect.arrayContaining(NAMED_ALERTS));
        expect(rules.filter(({ health }) => health !== 'ok')).toEqual([]);
      });
    });
  });
}

async function askPrometheus<T>(path: string): Promise<T> {
  const pod = `/api/v1/namespaces/${NAMESPACE}/pods/prometheus:9090/proxy`;
  const { data } = JSON.parse(await kubectl(['get', '--raw', `${pod}/api/v1/${path}`])) as { data: T };
  return data;
}
