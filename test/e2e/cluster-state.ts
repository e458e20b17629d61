import { APPLIED } from './applied-runs.ts';
import { kubectl, tryKubectl } from './commands.ts';
import { DOOMED } from './deletion.ts';
import { PLAIN_NAMESPACE } from './manifests.ts';
import { NAMESPACE } from './release.ts';
import { until } from './requests.ts';

/** Prints what explains a failure. */
export async function printState(): Promise<void> {
  for (const args of [
    ['get', 'pods,jobs,phaseruns', '-A', '-o', 'wide'],
    ['get', 'events', '-n', NAMESPACE, '--sort-by=.lastTimestamp'],
    [
      'logs',
      '-n',
      NAMESPACE,
      '-l',
      'app.kubernetes.io/name=phaserun',
      '--all-containers',
      '--prefix',
      '--tail=25',
    ],
  ]) {
    const { output } = await tryKubectl(args);
    process.stdout.write(`--- kubectl ${args.join(' ')}\n${output}\n`);
  }
}

/** Leaves the cluster as it was before; what guards PhaseRuns goes first. */
export async function removeAll(): Promise<void> {
  const guards = 'validatingadmissionpolicybindings,validatingadmissionpolicies';
  const label = ['-l', 'app.kubernetes.io/name=phaserun'];
  await tryKubectl(['delete', guards, ...label]);
  const crd = ['crd', 'phaseruns.phases.rsolv.dev'];
  await tryKubectl(['annotate', ...crd, 'phases.rsolv.dev/allow-crd-deletion=true']);
  await until('the PhaseRuns are gone', () => kubectl(['delete', ...crd, '--ignore-not-found']), 60_000);
  await tryKubectl(['delete', 'clusterrolebindings,clusterroles', ...label]);
  const namespaces = [NAMESPACE, APPLIED, PLAIN_NAMESPACE, DOOMED];
  await tryKubectl(['delete', 'namespace', ...namespaces, '--ignore-not-found', '--timeout=120s']);
}
