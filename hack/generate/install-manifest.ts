import { parseAllDocuments } from 'yaml';
import { CHART, helm, withValues } from '../helm.ts';
import { type GeneratedFile, toManifest } from './generated-file.ts';

const NAMESPACE = 'phaserun-system';

/** An object as YAML has it. */
interface Manifest {
  readonly kind: string;
  readonly metadata: {
    readonly annotations?: Readonly<Record<string, string>>;
    readonly labels?: Readonly<Record<string, string>>;
  };
}

/** The chart as it is by default, for those without Helm. Making it takes what `hack/chart-tools` makes. */
export const installManifest: GeneratedFile = {
  path: 'manifests/install.yaml',
  async make() {
    // The version of the cluster that renders it must make no difference.
    const flags = ['--namespace', NAMESPACE, '--skip-tests', '--kube-version', '1.30.0'];
    const values = {
      passwordsMadeBy: 'job',
      monitoring: { prometheusOperator: 'never' },
      // Nothing but Grafana's sidecar reads those; they are larger than all the rest.
      grafana: { dashboards: { enabled: false } },
    };
    const { ok, output, complaint } = await withValues(values, (file) =>
      helm('template', 'phaserun', CHART, ...flags, '--values', file),
    );
    if (!ok) throw new Error(`Helm does not make manifests/install.yaml: ${complaint}`);
    const objects = parseAllDocuments(output)
      .map((document): unknown => document.toJS())
      .filter((object): object is Manifest => object !== null);
    return toManifest('charts/phaserun', [makeNamespace(), ...objects.map(withoutHelm)], { lineWidth: 0 });
  },
};

function makeNamespace() {
  const labels = { 'pod-security.kubernetes.io/enforce': 'restricted' };
  return { apiVersion: 'v1', kind: 'Namespace', metadata: { name: NAMESPACE, labels } };
}

/** What says something to Helm alone is left out, and what Helm would add is put in. */
function withoutHelm<T extends Manifest>(object: T): T {
  const { annotations = {}, labels = {}, ...metadata } = object.metadata;
  const isOthers = ([name, value]: [string, unknown]) => !name.startsWith('helm.sh/') && value !== 'Helm';
  const kept = Object.fromEntries(Object.entries(annotations).filter(isOthers));
  return {
    ...object,
    metadata: {
      ...metadata,
      ...(isNamespaced(object) && { namespace: NAMESPACE }),
      labels: Object.fromEntries(Object.entries(labels).filter(isOthers)),
      ...(Object.keys(kept).length > 0 && { annotations: kept }),
    },
  };
}

const CLUSTER_KINDS = new Set(['ClusterRole', 'ClusterRoleBinding', 'CustomResourceDefinition']);

function isNamespaced({ kind }: Manifest): boolean {
  return !CLUSTER_KINDS.has(kind) && !kind.startsWith('ValidatingAdmissionPolicy');
}
