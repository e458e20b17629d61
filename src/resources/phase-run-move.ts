import { createHash } from 'node:crypto';
import { digestOf } from '../domain/digest.ts';
import { decodeGzip } from '../domain/gzip.ts';
import { isFinished, isForward } from '../domain/phase.ts';
import { TRACEPARENT_ANNOTATION } from './annotations.ts';
import type { PhaseRun } from './phase-run.ts';
import { type AcceptedStore, draftResult } from './phase-run-draft.ts';

/** A store that moves the run with its id forward. */
export type MovingStore = Pick<
  AcceptedStore,
  'runId' | 'request' | 'digest' | 'order' | 'dataGzip' | 'traceparent'
>;

/** One operation of a JSON Patch (RFC 6902). */
export interface PatchOperation {
  readonly op: 'add' | 'replace';
  readonly path: string;
  readonly value: unknown;
}

/** Whether the run has not ended, and the store is newer than what it holds. */
export function canMove({ spec }: PhaseRun, { request, order }: MovingStore): boolean {
  const isNewer = order > (spec.result.order ?? spec.order ?? 0);
  return !isFinished(spec.result.status) && isForward(spec.result.status, request.status) && isNewer;
}

/** Whether the run says already what the store would make it say. */
export function saysAlready(phaseRun: PhaseRun, { request, digest }: MovingStore): boolean {
  return phaseRun.spec.result.status === request.status && payloadSha256(phaseRun) === digest.sha256;
}

/**
 * Puts the result of the store in the place of the run's, by JSON Patch: a merge patch would mix the old payload with the new,
 * and drop its nulls. It names the version that was read, so that of two stores at once the second is told 409, and looks again.
 */
export function draftMove({ metadata, spec }: PhaseRun, store: MovingStore): readonly PatchOperation[] {
  const { request, order } = store;
  const moved = { branch: request.branch, pipelineRunId: request.pipelineRunId };
  // A scan is looked up by its commit, which therefore is the same.
  const changes = spec.phase === 'scan' ? moved : { ...moved, commitSha: request.commitSha };
  return [
    { op: 'replace', path: '/metadata/resourceVersion', value: metadata.resourceVersion },
    { op: 'replace', path: '/spec/result', value: { ...draftResult(store), order } },
    annotateTrace(metadata, store),
    ...Object.entries(changes)
      .filter(([, value]) => value !== undefined)
      .map(([field, value]) => ({ op: 'add' as const, path: `/spec/${field}`, value })),
  ];
}

/** What is done for the run from now on is done for the request that moved it. */
function annotateTrace({ annotations }: PhaseRun['metadata'], { traceparent }: MovingStore): PatchOperation {
  if (annotations === undefined)
    return { op: 'add', path: '/metadata/annotations', value: { [TRACEPARENT_ANNOTATION]: traceparent } };
  const key = TRACEPARENT_ANNOTATION.replace('/', '~1');
  return { op: 'add', path: `/metadata/annotations/${key}`, value: traceparent };
}

/** Digest of the payload that a PhaseRun carries or refers to; undefined when it is compressed, and not by us. */
export function payloadSha256({ spec }: PhaseRun): string | undefined {
  const { data = {}, dataGzip, dataRef } = spec.result;
  if (dataGzip !== undefined) return sha256OfGzip(dataGzip);
  return dataRef?.sha256 ?? digestOf(data).sha256;
}

/** What this program compresses is canonical JSON, whose SHA-256 is the digest. */
function sha256OfGzip(dataGzip: string): string | undefined {
  const unpacked = decodeGzip(dataGzip, UNPACKED_LIMIT_BYTES);
  return unpacked.ok ? createHash('sha256').update(unpacked.bytes).digest('hex') : undefined;
}

const UNPACKED_LIMIT_BYTES = 10 * 1024 * 1024;
