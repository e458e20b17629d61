import { hasStatus } from '../../kube/kube-error.ts';
import type { KubeResource } from '../../kube/resource.ts';
import type { PhaseRun } from '../../resources/phase-run.ts';

/**
 * Takes a PhaseRun's receipt away, so that the controller archives it again: it finds the row, or makes it. Nothing may
 * delete the object before that.
 * @returns false when the object has changed or is gone meanwhile, and is to be looked at again
 */
export async function archiveAgain(
  phaseRuns: Pick<KubeResource<PhaseRun>, 'get' | 'mergePatchStatus'>,
  target: { readonly namespace: string; readonly name: string },
): Promise<boolean> {
  try {
    const { metadata, status } = await phaseRuns.get(target);
    const conditions = status?.conditions?.filter(({ type }) => type !== 'Archived') ?? [];
    const { resourceVersion } = metadata;
    await phaseRuns.mergePatchStatus(target, {
      metadata: { resourceVersion },
      status: { archive: null, conditions },
    });
    return true;
  } catch (error) {
    if (hasStatus(error, 404) || hasStatus(error, 409)) return false;
    throw error;
  }
}
