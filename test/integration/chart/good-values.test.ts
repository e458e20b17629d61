import { join } from 'node:path';
import { beforeAll, describe, expect, inject, test } from 'vitest';
import { freshNamespace, ownKubernetes } from '../../fixtures/kubernetes.ts';
import { CHART, hasChartTools, helm, OTHER_KINDS, run, withValues } from '../../../hack/helm.ts';
import { GOOD_VALUES } from './good-values.ts';

test('Helm is there in CI', ({ skip }) => {
  const { CI, CHART_TOOLS } = process.env;
  skip(CI === undefined || CHART_TOOLS === 'optional', 'run hack/chart-tools to have it here');
  expect(hasChartTools).toBe(true);
});

const COMBINATIONS = Object.entries(GOOD_VALUES).map(([name, values]) => ({ name, values }));

describe.skipIf(!hasChartTools)('the chart', async () => {
  if (!hasChartTools) return;
  const { kubeconfigPath } = await ownKubernetes();
  const kubectl = (args: readonly string[], input?: string) =>
    run(inject('kubernetesAssets').kubectl ?? 'kubectl', [`--kubeconfig=${kubeconfigPath}`, ...args], input);
  let namespace = '';

  beforeAll(async () => {
    namespace = await freshNamespace({ kubeconfigPath });
    await kubectl(['label', 'namespace', namespace, 'pod-security.kubernetes.io/warn=restricted']);
    // Which a controller manager makes in every namespace; there is none here.
    await kubectl(['create', 'serviceaccount', 'default', '--namespace', namespace]);
    await kubectl(['apply', '--server-side', '-f', OTHER_KINDS]);
    await kubectl(['wait', '--for=condition=Established', '--timeout=60s', '-f', OTHER_KINDS]);
  });

  test.for(COMBINATIONS)('is content with $name', async ({ values }) => {
    const lint = await withValues(values, (file) => helm('lint', '--strict', CHART, '--values', file));
    expect(lint).toMatchObject({ ok: true });
  });

  test.for(COMBINATIONS)(
    'makes what Kubernetes takes of $name, to the letter and by its strictest standard',
    async ({ values }) => {
      const made = await withValues(values, (file) =>
        helm(
          'template',
          'phaserun',
          CHART,
          '--namespace',
          namespace,
          '--values',
          file,
          '--kube-version',
          '1.36.0',
        ),
      );
      expect(made).toMatchObject({ ok: true, complaint: '' });
      const applying = [
        'apply',
        '--server-side',
        '--force-conflicts',
        '--dry-run=server',
        '--validate=strict',
      ];
      const applied = await kubectl([...applying, '--namespace', namespace, '-f', '-'], made.output);
      expect(applied).toMatchObject({ ok: true, complaint: '' });
      expect(applied.output.trim().split('\n').length).toBe(made.output.match(/^kind:/gm)?.length);
    },
  );

  test('has the standard at hand that it is held to', async () => {
    const pod = join(CHART, '../../test/integration/chart/privileged-pod.yaml');
    const { complaint } = await kubectl(['apply', '--dry-run=server', '--namespace', namespace, '-f', pod]);
    expect(complaint).toContain('would violate PodSecurity "restricted');
  });
});
