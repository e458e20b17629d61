import { compact } from '../domain/compact.ts';
import type { Digest } from '../domain/digest.ts';
import { phaseRunName, slotLabel, slotOf } from '../domain/slot.ts';
import type { StoreRequest } from '../domain/store-request.ts';
import { API_KEY_ID_ANNOTATION, PHASE_LABEL, SLOT_LABEL, TRACEPARENT_ANNOTATION } from './annotations.ts';
import { API_VERSION, INLINE_DATA_LIMIT_BYTES, KIND, type NewPhaseRun } from './phase-run.ts';

/** How long a PhaseRun that this API made stays in the cluster once its result is a row. */
const TTL_SECONDS = 600;

/** A store that was let in, with what the server adds to it. */
export interface AcceptedStore {
  readonly request: StoreRequest;
  readonly digest: Pick<Digest, 'sha256' | 'sizeBytes'>;
  readonly customerId: string;
  /** Absent: the caller showed a token. */
  readonly apiKeyId?: string;
  readonly runId: string;
  /** Place in the slot. */
  readonly order: number;
  /** Set for a store that comes late: the places behind {@link order}, up to this one, will do as well. */
  readonly orderBelow?: number;
  /** The Kubernetes namespace of the customer's runs. */
  readonly namespace: string;
  readonly traceparent: string;
  /** The payload as the PhaseRun carries it where the database cannot keep it. */
  readonly dataGzip?: string;
}

/** Whether a PhaseRun carries a payload of this size itself, readable, instead of referring to it. */
export function isInline({ sizeBytes }: Pick<Digest, 'sizeBytes'>): boolean {
  return sizeBytes <= INLINE_DATA_LIMIT_BYTES;
}

/** The PhaseRun of a store; the same store at the same order always makes the same one. */
export function draftPhaseRun(store: AcceptedStore): NewPhaseRun {
  const { request } = store;
  const slot = slotOf(request);
  return {
    apiVersion: API_VERSION,
    kind: KIND,
    metadata: {
      name: phaseRunName(slot, store.order),
      namespace: store.namespace,
      labels: { [SLOT_LABEL]: slotLabel(slot), [PHASE_LABEL]: request.phase },
      annotations: compact({
        [API_KEY_ID_ANNOTATION]: store.apiKeyId,
        [TRACEPARENT_ANNOTATION]: store.traceparent,
      }),
    },
    spec: compact({
      phase: request.phase,
      forge: request.repository.forge,
      repo: request.repository.fullPath,
      issueNumber: request.issueNumber,
      commitSha: request.commitSha,
      branch: request.branch,
      pipelineRunId: request.pipelineRunId,
      runId: store.runId,
      customerId: store.customerId,
      order: store.order,
      result: draftResult(store),
      ttlSecondsAfterArchived: TTL_SECONDS,
    }),
  };
}

/** The `spec.result` of a store: the payload itself while it is small, else what was compressed of it, else its digest. */
export function draftResult({
  request,
  digest,
  dataGzip,
}: Pick<AcceptedStore, 'request' | 'digest' | 'dataGzip'>): NewPhaseRun['spec']['result'] {
  const { status, startedAt, completedAt, errorMessage, data } = request;
  const { sha256, sizeBytes } = digest;
  const large = dataGzip === undefined ? { dataRef: { sha256, sizeBytes } } : { dataGzip };
  const payload = isInline(digest) ? { data } : large;
  return compact({ status, startedAt, completedAt, errorMessage, ...payload });
}
