import { parseRepositoryName } from '../domain/repository-name.ts';
import { slotOf } from '../domain/slot.ts';
import type { PhaseRun } from '../resources/phase-run.ts';

/** What the controller keeps of a PhaseRun in memory. */
export interface CachedPhaseRun extends PhaseRun {
  /** The payload was left out: this run was settled when it was read. Whoever needs it reads the object again. */
  readonly payloadLeftOut?: true;
}

/**
 * Keeps what the reconciler reads and nothing else: no managedFields, and no payload once the run carries a
 * receipt, so that memory grows with the backlog and hardly with the objects that wait for their TTL.
 */
export function leanPhaseRun(phaseRun: PhaseRun): CachedPhaseRun {
  const { managedFields: _, ...metadata } = phaseRun.metadata;
  const lean = { ...phaseRun, metadata };
  if (phaseRun.status?.archive === undefined) return lean;
  const { data, dataGzip, ...result } = phaseRun.spec.result;
  if (data === undefined && dataGzip === undefined) return lean;
  return { ...lean, spec: { ...phaseRun.spec, result }, payloadLeftOut: true };
}

/** Key of the work queue: the slot, so that one worker at a time has all of a slot's runs before it. */
export function slotKeyOf(phaseRun: PhaseRun): string {
  const { spec, metadata } = phaseRun;
  const repository = parseRepositoryName(spec.forge, spec.repo);
  // Such a run is only going to be rejected, and needs no company for that.
  if (!repository.ok) return `unnamed/${metadata.namespace}/${metadata.name}`;
  return slotOf({ ...spec, repository: repository.value });
}

/**
 * The order in which a slot's runs are taken: those with a place in it first, by place; those applied by hand
 * have none until their first reconcile and follow as they were created. Creation times are whole seconds; within
 * one the resource version decides, which grows with every write (KEP-5504).
 */
export function bySlotOrder(a: PhaseRun, b: PhaseRun): number {
  const orderOf = (phaseRun: PhaseRun) =>
    phaseRun.spec.result.order ?? phaseRun.spec.order ?? formerOrderOf(phaseRun) ?? Number.POSITIVE_INFINITY;
  const [first, second] = [orderOf(a), orderOf(b)];
  if (first !== second) return first < second ? -1 : 1;
  const [created, later] = [
    Date.parse(a.metadata.creationTimestamp),
    Date.parse(b.metadata.creationTimestamp),
  ];
  return created - later || compareVersions(a.metadata.resourceVersion, b.metadata.resourceVersion);
}

/** The place of a run applied by hand that was a row and has not been touched since; a restore may have taken the row. */
function formerOrderOf({ metadata, status }: PhaseRun): number | undefined {
  return status?.observedGeneration === metadata.generation ? status.archive?.order : undefined;
}

/** Decimal numbers of any length, without leading zeros. */
function compareVersions(a: string, b: string): number {
  if (a === b) return 0;
  return a.length - b.length || (a < b ? -1 : 1);
}
