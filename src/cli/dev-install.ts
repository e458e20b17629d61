import { readFile } from 'node:fs/promises';
import { applyManifests } from '../kube/apply.ts';
import { createKubeClient } from '../kube/client.ts';
import { parseManifests } from '../kube/manifest.ts';
import { packageFile } from '../package-file.ts';
import { CUSTOMER_ID_ANNOTATION } from '../resources/annotations.ts';
import { createLogger } from '../telemetry/logger.ts';

const MANIFESTS = ['crds/phases.rsolv.dev_phaseruns.yaml', 'manifests/policies.yaml'];
const INSTALL_TIMEOUT_MS = 60_000;

/** Namespace of the processes themselves, and of runs whose customer has no namespace of its own. */
const SYSTEM_NAMESPACE = 'phaserun-system';

/** Installs the PhaseRun kind, its policies, and one bound namespace for each customer given (namespace → customer id). */
export async function installPhaseRuns(
  kubeconfig: string,
  bindings: Readonly<Record<string, string>>,
): Promise<void> {
  const client = createKubeClient(
    { kind: 'kubeconfig', path: kubeconfig },
    { logger: createLogger({ name: 'install', level: 'silent' }) },
  );
  try {
    const files = await Promise.all(MANIFESTS.map((path) => readFile(packageFile(path), 'utf8')));
    const namespaces = Object.entries(bindings).map(([name, customerId]) => ({
      ...makeNamespace(name),
      metadata: { name, annotations: { [CUSTOMER_ID_ANNOTATION]: customerId } },
    }));
    await applyManifests(
      client,
      [...files.flatMap(parseManifests), makeNamespace(SYSTEM_NAMESPACE), ...namespaces],
      { fieldManager: 'phaserun-dev', signal: AbortSignal.timeout(INSTALL_TIMEOUT_MS) },
    );
  } finally {
    await client.close();
  }
}

function makeNamespace(name: string) {
  return { apiVersion: 'v1', kind: 'Namespace', metadata: { name } };
}
