import { compact } from '../../domain/compact.ts';
import { parseRepositoryName } from '../../domain/repository-name.ts';
import { keyOf } from '../../kube/kube-object.ts';
import type { PhaseRun } from '../../resources/phase-run.ts';
import type { KeptResult } from '../../store/kept-results.ts';
import { interpretPhaseRun, Rejection } from '../interpret.ts';
import { type CachedPhaseRun, leanPhaseRun } from '../phase-run-cache.ts';
import { isArchived, isSettled } from '../settled.ts';
import type { Discrepancy } from './discrepancy.ts';

/** What a PhaseRun is held against. */
export interface Surroundings {
  /** Of the database: receipts of another one vouch for nothing, and are no discrepancy. */
  readonly incarnation: string;
  /** What is kept of the run. */
  readonly kept: KeptResult | undefined;
  /** Ids of the customers there are. */
  readonly customers: ReadonlySet<string>;
}

/** `waiting`: it is the controller's to archive yet. Undefined: as it should be. */
export type Examined = Discrepancy | 'waiting' | undefined;

/** What is examined of a PhaseRun whose payload is at hand. */
export function withPayloadDigest(phaseRun: PhaseRun): CachedPhaseRun {
  const lean = leanPhaseRun(phaseRun);
  return { ...lean, payloadSha256: lean.payloadSha256 ?? interpret(phaseRun)?.sha256 };
}

/** Compares a PhaseRun with what is kept of its run; its payload too, where its digest is known. */
export function examinePhaseRun(phaseRun: CachedPhaseRun, surroundings: Surroundings): Examined {
  const { incarnation, kept, customers } = surroundings;
  const { customerId } = phaseRun;
  if (customerId !== undefined && !customers.has(customerId)) {
    return found(phaseRun, 'OrphanPhaseRun', `customer ${customerId}, whose run it is, does not exist`);
  }
  if (isArchived(phaseRun, incarnation)) return examineReceipt(phaseRun, kept);
  return isSettled(phaseRun, incarnation) ? undefined : 'waiting';
}

function examineReceipt(phaseRun: CachedPhaseRun, kept: KeptResult | undefined): Discrepancy | undefined {
  const { receipt, payloadSha256 } = phaseRun;
  if (receipt === undefined || kept === undefined) {
    const row = receipt?.executionId ?? phaseRun.runId;
    return found(phaseRun, 'RowMissing', `its receipt names execution ${row}, which is not there`, true);
  }
  if (kept.kind === 'tombstone') return undefined;
  const held = payloadSha256 ?? receipt.sha256;
  if (held !== kept.sha256) {
    const message = `the PhaseRun holds ${short(held)}, execution ${kept.executionId} holds ${short(kept.sha256)}`;
    return found(phaseRun, 'ContentDiffers', message);
  }
  if (receipt.executionId === kept.executionId && receipt.sha256 === kept.sha256) return undefined;
  const message = `its receipt names execution ${receipt.executionId}, and it is ${kept.executionId}`;
  return found(phaseRun, 'ReceiptStale', message, true);
}

/** The payload of a PhaseRun and its digest, read as the reconciler reads it; undefined where that would reject it. */
export function interpret(phaseRun: PhaseRun): ReturnType<typeof interpretPhaseRun> | undefined {
  const { spec } = phaseRun;
  const repository = parseRepositoryName(spec.forge, spec.repo);
  if (!repository.ok) return undefined;
  try {
    return interpretPhaseRun(phaseRun, {
      customerId: spec.customerId ?? '',
      repository: repository.value,
    });
  } catch (error) {
    if (error instanceof Rejection) return undefined;
    throw error;
  }
}

function found(
  phaseRun: CachedPhaseRun,
  kind: Discrepancy['kind'],
  message: string,
  isRepairable = false,
): Discrepancy {
  return compact({
    kind,
    phaseRun: keyOf(phaseRun.metadata),
    id: phaseRun.runId,
    customerId: phaseRun.customerId,
    message,
    repair: isRepairable ? ({ kind: 'archive-again' } as const) : undefined,
  });
}

function short(sha256: string | null): string {
  return sha256 === null ? 'nothing' : `sha256:${sha256.slice(0, 12)}`;
}
