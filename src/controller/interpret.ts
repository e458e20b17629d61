import { compact } from '../domain/compact.ts';
import { digestOf } from '../domain/digest.ts';
import { decodeGzip } from '../domain/gzip.ts';
import { findUnstorable, parseJsonExactly } from '../domain/json.ts';
import type { RunMeasure } from '../domain/measure.ts';
import { isJsonObject, unwrapPayload } from '../domain/payload.ts';
import { type RunReading, readResult } from '../domain/reading.ts';
import type { ArchivableRun, JsonObject, RepositoryName } from '../domain/run.ts';
import { slotOf } from '../domain/slot.ts';
import { findUnsafeInteger } from '../domain/unsafe-integer.ts';
import { API_KEY_ID_ANNOTATION } from '../resources/annotations.ts';
import type { RejectionReason } from '../resources/conditions.ts';
import { INLINE_DATA_LIMIT_BYTES, type PhaseRun } from '../resources/phase-run.ts';
import { runIdOf } from './run-id.ts';

/** Why a PhaseRun is not taken in: the reason and message of its Accepted condition. */
export class Rejection extends Error {
  override readonly name = 'Rejection';
  readonly reason: RejectionReason;

  constructor(reason: RejectionReason, message: string) {
    super(message);
    this.reason = reason;
  }
}

/** What the reconciler has found out about a PhaseRun before its content is read. */
export interface RunContext {
  readonly customerId: string;
  readonly repository: RepositoryName;
  /** What the payload that `dataRef` names says, as the reconciler has found it; absent where none is kept. */
  readonly referred?: RunReading;
}

/** A run with what is counted of it once it is a row. */
export interface MeasuredRun extends ArchivableRun {
  readonly measure: RunMeasure;
}

/** Largest JSON that `dataGzip` may hold: the body limit of the HTTP door. */
const GUNZIPPED_LIMIT_BYTES = 10 * 1024 * 1024;

/**
 * Makes of a PhaseRun the run that is archived.
 * @throws {Rejection} when its content cannot be kept, in a sentence for whoever wrote it
 */
export function interpretPhaseRun(phaseRun: PhaseRun, context: RunContext): MeasuredRun {
  const { spec, metadata, status } = phaseRun;
  const { result } = spec;
  const { archive } = status ?? {};
  const payload = readPayload(phaseRun, context.referred);
  const apiKeyId = spec.runId === undefined ? undefined : metadata.annotations?.[API_KEY_ID_ANNOTATION];
  const { issueNumber, commitSha } = spec;
  const subject = compact({ phase: spec.phase, repository: context.repository, issueNumber, commitSha });
  return compact({
    ...subject,
    runId: runIdOf(phaseRun),
    customerId: context.customerId,
    slot: slotOf(subject),
    branch: spec.branch,
    pipelineRunId: spec.pipelineRunId,
    sessionId: spec.sessionId,
    order: result.order ?? spec.order,
    formerOrder: archive?.sha256 === payload.sha256 ? archive.order : undefined,
    status: result.status,
    startedAt: result.startedAt,
    completedAt: result.completedAt,
    errorMessage: result.errorMessage,
    ...payload,
    apiKeyId,
    phaseRun: { namespace: metadata.namespace, name: metadata.name },
  });
}

type Payload = Pick<MeasuredRun, 'data' | 'payloadIsGone' | 'sha256' | 'sizeBytes' | 'derived' | 'measure'>;

function readPayload(phaseRun: PhaseRun, referred: RunReading | undefined): Payload {
  const { spec } = phaseRun;
  const { dataRef, dataGzip } = spec.result;
  if (dataRef !== undefined) {
    const { sha256, sizeBytes } = dataRef;
    // Retention takes payloads away as well: whether that is a reason to refuse the run, the rows say.
    if (referred === undefined)
      return { payloadIsGone: true, sha256, sizeBytes, ...readResult(spec.phase, {}) };
    return { sha256, sizeBytes, ...referred };
  }
  const sent = dataGzip === undefined ? readInline(phaseRun) : gunzip(dataGzip);
  // What the API made was checked and unwrapped there; a second time could take for a wrapper what is content.
  const data = spec.runId === undefined ? readApplied(spec, sent) : sent;
  const { sha256, sizeBytes } = digestOf(data);
  return { data, sha256, sizeBytes, ...readResult(spec.phase, data) };
}

/** The limit is on what the object carries, before anything is taken out of it. */
function readInline({ spec, metadata }: PhaseRun): JsonObject {
  const data = requireStorable(spec.result.data ?? {});
  const { sizeBytes } = digestOf(data);
  if (sizeBytes <= INLINE_DATA_LIMIT_BYTES) return data;
  throw new Rejection(
    'PayloadTooLarge',
    `spec.result.data holds ${sizeBytes} bytes of JSON, of which ${INLINE_DATA_LIMIT_BYTES} are allowed: ` +
      `send ${metadata.name} through the HTTP API, which stores large results by reference (dataRef), ` +
      'or put the gzipped, base64-encoded JSON into spec.result.dataGzip',
  );
}

function requireStorable(data: JsonObject): JsonObject {
  const problem = findUnstorable(data, 'data');
  if (problem !== undefined) throw invalidPayload(`spec.result.${problem.path}: ${problem.message}`);
  return data;
}

function invalidPayload(message: string): Rejection {
  return new Rejection('InvalidPayload', message);
}

function gunzip(encoded: string): JsonObject {
  const field = 'spec.result.dataGzip';
  const decoded = decodeGzip(encoded, GUNZIPPED_LIMIT_BYTES);
  if (!decoded.ok) throw invalidPayload(`${field}: ${decoded.message}`);
  const parsed = parseJsonExactly(decoded.bytes);
  if (!parsed.ok) throw invalidPayload(`${field}: ${`${parsed.path} ${parsed.message}`.trimStart()}`);
  if (!isJsonObject(parsed.value)) throw invalidPayload(`${field}: must hold a JSON object`);
  return requireStorable(parsed.value);
}

function readApplied({ phase, issueNumber, result }: PhaseRun['spec'], sent: JsonObject): JsonObject {
  const problem = result.data === undefined ? undefined : findUnsafeInteger(sent, 'data');
  if (problem !== undefined) throw invalidPayload(`spec.result.${problem.path}: ${problem.message}`);
  const unwrapped = unwrapPayload({ phase, issueNumber, data: sent });
  if (!unwrapped.ok) throw invalidPayload(`spec.result.${unwrapped.path}: ${unwrapped.message}`);
  return unwrapped.data;
}
