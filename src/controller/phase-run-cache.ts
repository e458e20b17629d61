import type { RunStatus } from '../domain/phase.ts';
import { parseRepositoryName } from '../domain/repository-name.ts';
import { slotOf } from '../domain/slot.ts';
import { type Condition, type ConditionType, TERMINAL_REJECTIONS } from '../resources/conditions.ts';
import type { PhaseRun, PhaseRunMetadata, PhaseRunStatus } from '../resources/phase-run.ts';
import { runIdOf } from './run-id.ts';

/**
 * What the controller keeps of every PhaseRun: where it belongs, whether it has work left, and when it may go. There are
 * thousands, so this is small and of one shape, and has nothing of the payload: who needs the rest reads the object.
 */
export interface CachedPhaseRun {
  readonly metadata: Pick<PhaseRunMetadata, 'name' | 'namespace' | 'uid' | 'resourceVersion' | 'generation'>;
  /** Key of the work queue. */
  readonly slot: string;
  readonly runId: string;
  readonly customerId: string | undefined;
  readonly status: RunStatus;
  /** Milliseconds since the epoch, as all times here. */
  readonly createdAt: number;
  /** Its place in the slot; a run applied by hand has none until its first reconcile. */
  readonly order: number | undefined;
  /** Of all places that it names the greatest; 0 when it names none. */
  readonly greatestOrder: number;
  readonly ttlSecondsAfterArchived: number | undefined;
  /** Digest of the payload where it is known without reading it: that of one that is referred to. */
  readonly payloadSha256: string | undefined;
  /** What was archived of it last, at whatever generation. */
  readonly receipt: Receipt | undefined;
  /** The incarnation of the database that has archived this very generation. */
  readonly archivedIn: string | undefined;
  /** Since when this generation is rejected for what only an edit can mend. */
  readonly rejectedAt: number | undefined;
}

interface Receipt {
  readonly executionId: string;
  readonly sha256: string;
  readonly committedAt: number;
}

/** Makes of a PhaseRun what is kept of it. */
export function leanPhaseRun(phaseRun: PhaseRun): CachedPhaseRun {
  const { metadata, spec, status } = phaseRun;
  const { name, namespace, uid, resourceVersion, generation } = metadata;
  const { order, result, customerId, ttlSecondsAfterArchived } = spec;
  const archive = status?.archive;
  return {
    metadata: { name, namespace, uid, resourceVersion, generation },
    slot: flat(slotKeyOf(phaseRun)),
    runId: runIdOf(phaseRun),
    customerId,
    status: result.status,
    createdAt: Date.parse(metadata.creationTimestamp),
    order: result.order ?? order ?? formerOrderOf(phaseRun),
    greatestOrder: Math.max(order ?? 0, result.order ?? 0, archive?.order ?? 0),
    ttlSecondsAfterArchived,
    payloadSha256: result.dataRef?.sha256,
    receipt: archive && makeReceipt(archive),
    archivedIn: isSaidArchived(phaseRun) ? archive?.incarnation : undefined,
    rejectedAt: rejectedSince(phaseRun),
  };
}

/** A string that was put together, in one piece: V8 keeps the parts, and what joins them, in four times the room. */
function flat(text: string): string {
  return Buffer.from(text).toString();
}

function makeReceipt({ executionId, sha256, committedAt }: NonNullable<PhaseRunStatus['archive']>): Receipt {
  return { executionId, sha256, committedAt: Date.parse(committedAt) };
}

function isSaidArchived(phaseRun: PhaseRun): boolean {
  return conditionAtGeneration(phaseRun, 'Archived')?.status === 'True';
}

function rejectedSince(phaseRun: PhaseRun): number | undefined {
  const accepted = conditionAtGeneration(phaseRun, 'Accepted');
  const isRejected = accepted?.status === 'False' && TERMINAL_REJECTIONS.has(accepted.reason);
  return isRejected ? Date.parse(accepted.lastTransitionTime) : undefined;
}

function conditionAtGeneration({ metadata, status }: PhaseRun, type: ConditionType): Condition | undefined {
  const condition = status?.conditions?.find((candidate) => candidate.type === type);
  return condition?.observedGeneration === metadata.generation ? condition : undefined;
}

/** The place of a run applied by hand that was a row and has not been touched since; a restore may have taken the row. */
function formerOrderOf({ metadata, status }: PhaseRun): number | undefined {
  return status?.observedGeneration === metadata.generation ? status.archive?.order : undefined;
}

/** Key of the work queue: the slot, so that one worker at a time has all of a slot's runs before it. */
function slotKeyOf({ spec, metadata }: PhaseRun): string {
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
export function bySlotOrder(a: CachedPhaseRun, b: CachedPhaseRun): number {
  const { order: first = Number.POSITIVE_INFINITY } = a;
  const { order: second = Number.POSITIVE_INFINITY } = b;
  if (first !== second) return first < second ? -1 : 1;
  const elder = a.createdAt - b.createdAt;
  return elder || compareVersions(a.metadata.resourceVersion, b.metadata.resourceVersion);
}

/** Decimal numbers of any length, without leading zeros. */
function compareVersions(a: string, b: string): number {
  if (a === b) return 0;
  return a.length - b.length || (a < b ? -1 : 1);
}
