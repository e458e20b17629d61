import { GROUP, PHASE_RUNS } from '../../src/resources/phase-run.ts';

const TWIN_GROUP = 'twin.phaserun.test';

/**
 * A kind that is PhaseRun in all but the name of its group: the same schema, rules, policies and etcd. No controller
 * watches it, so what a call costs is the call alone, measured while everything else runs as ever. The server does not
 * even have to tell a watcher: the floor is, if anything, too low, and the ratio to it too strict.
 */
export const TWIN_RUNS = { ...PHASE_RUNS, group: TWIN_GROUP };

/** The twin of what these manifests, as YAML, make of PhaseRuns. */
export function twinOf(manifests: string): string {
  return manifests.replaceAll(GROUP, TWIN_GROUP);
}
