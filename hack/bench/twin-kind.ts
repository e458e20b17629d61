import { readFile } from 'node:fs/promises';
import { applyManifests } from '../../src/kube/apply.ts';
import type { KubeClient } from '../../src/kube/client.ts';
import { parseManifests } from '../../src/kube/manifest.ts';
import { GROUP, PHASE_RUNS } from '../../src/resources/phase-run.ts';

const TWIN_GROUP = 'twin.phaserun.test';

const MANIFESTS = ['../../crds/phases.rsolv.dev_phaseruns.yaml', '../../manifests/policies.yaml'];
const INSTALL_TIMEOUT_MS = 60_000;

/**
 * A kind that is PhaseRun in all but the name of its group: the same schema, rules, policies and etcd. No controller
 * watches it, so what a create of it costs is the create alone, measured while everything else runs as ever. The server
 * does not even have to tell a watcher: the floor is, if anything, too low, and the ratio to it too strict.
 */
export const TWIN_RUNS = { ...PHASE_RUNS, group: TWIN_GROUP };

export async function installTwinKind(client: KubeClient): Promise<void> {
  const texts = await Promise.all(MANIFESTS.map((path) => readFile(new URL(path, import.meta.url), 'utf8')));
  await applyManifests(
    client,
    texts.flatMap((text) => parseManifests(text.replaceAll(GROUP, TWIN_GROUP))),
    { fieldManager: 'phaserun-bench', signal: AbortSignal.timeout(INSTALL_TIMEOUT_MS) },
  );
}
