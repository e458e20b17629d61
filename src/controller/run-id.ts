import type { PhaseRun } from '../resources/phase-run.ts';

/** Id of a run's execution row: the one that the API gave it, else the object's own; lower case, as Postgres spells it. */
export function runIdOf({ spec, metadata }: PhaseRun): string {
  return (spec.runId ?? metadata.uid).toLowerCase();
}
