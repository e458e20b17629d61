import { randomUUID } from 'node:crypto';
import { ClientUsageError } from './client-errors.ts';

/** What callers may say; the oldest spell validation `validate` and mitigation `mitigate`. */
export type PhaseSpelling = 'scan' | 'validation' | 'mitigation' | 'validate' | 'mitigate';
export type Phase = 'scan' | 'validation' | 'mitigation';

const PHASES: Readonly<Record<string, Phase>> = {
  scan: 'scan',
  validation: 'validation',
  validate: 'validation',
  mitigation: 'mitigation',
  mitigate: 'mitigation',
};

/** Where a result belongs. */
export interface PhaseMetadata {
  /** `owner/name`; GitLab groups nest: `group/sub/name`. */
  readonly repo: string;
  /** Required but for a scan. */
  readonly issueNumber?: number;
  readonly commitSha: string;
  readonly branch?: string;
  readonly pipelineRunId?: string;
  /** Default on the platform: `github`. */
  readonly forge?: 'github' | 'gitlab';
  /** Default on the platform: `completed`. */
  readonly status?: 'pending' | 'running' | 'completed' | 'failed';
  /** RFC 3339. */
  readonly startedAt?: string;
  readonly completedAt?: string;
  readonly errorMessage?: string;
  /** The `id` of an earlier answer, to move that run forward. */
  readonly runId?: string;
}

/** A repository as callers name it. */
export type RepositoryReference = Pick<PhaseMetadata, 'repo'> & {
  readonly forge?: PhaseMetadata['forge'] | undefined;
};

/** Whether both are one repository, as the platform compares them. */
export function isSameRepository(one: RepositoryReference, other: RepositoryReference): boolean {
  const sameForge = (one.forge ?? 'github') === (other.forge ?? 'github');
  return sameForge && one.repo.toLowerCase() === other.repo.toLowerCase();
}

export type JsonObject = { readonly [key: string]: unknown };

/** One store as its caller meant it: however often it is sent, its key and its body stay the same. */
export interface PhaseResult {
  readonly phase: Phase;
  readonly data: JsonObject;
  readonly metadata: PhaseMetadata;
  /** When the caller stored it, RFC 3339; no two results of one process share it. */
  readonly timestamp: string;
  /** Sent as `Idempotency-Key` with every attempt. */
  readonly idempotencyKey: string;
}

let lastTimestamp = 0;

/**
 * Makes a result of what the caller gave.
 * @throws {ClientUsageError} when the platform could never accept it, naming the argument; better now than after
 * it was kept on disk for an outage.
 */
export function makePhaseResult(phase: string, data: JsonObject, metadata: PhaseMetadata): PhaseResult {
  const canonicalPhase = readPhase(phase);
  checkMetadata(canonicalPhase, metadata);
  lastTimestamp = Math.max(Date.now(), lastTimestamp + 1);
  return {
    phase: canonicalPhase,
    data: asJson(data),
    metadata,
    timestamp: new Date(lastTimestamp).toISOString(),
    idempotencyKey: randomUUID(),
  };
}

/** @throws {ClientUsageError} when it is not one of the spellings. */
export function readPhase(phase: string): Phase {
  const known = Object.hasOwn(PHASES, phase) ? PHASES[phase] : undefined;
  if (known === undefined) {
    throw new ClientUsageError(`phase must be scan, validation or mitigation, not ${JSON.stringify(phase)}`);
  }
  return known;
}

/** The body of `POST /api/v1/phases/store`; the same bytes for the same result, now and after a restart. */
export function toRequestBody(result: PhaseResult): string {
  return JSON.stringify({ ...result.metadata, phase: result.phase, data: result.data });
}

/** Whether `retrieve` reads both at one place, so that the order in which they arrive matters. */
export function sharesSlot(one: PhaseResult, other: PhaseResult): boolean {
  return slotOf(one) === slotOf(other);
}

function slotOf({ phase, metadata }: PhaseResult): string {
  const subject = phase === 'scan' ? ['scan', metadata.commitSha] : ['issue', metadata.issueNumber];
  return JSON.stringify([metadata.forge ?? 'github', metadata.repo.toLowerCase(), ...subject]);
}

function checkMetadata(phase: Phase, { repo, issueNumber, commitSha }: PhaseMetadata): void {
  if (!/^[^/\s]+(\/[^/\s]+)+$/.test(repo)) {
    throw new ClientUsageError(`repo must be owner/name, not ${JSON.stringify(repo)}`);
  }
  if (issueNumber !== undefined && !(Number.isSafeInteger(issueNumber) && issueNumber > 0)) {
    throw new ClientUsageError(`issueNumber must be a positive integer, not ${JSON.stringify(issueNumber)}`);
  }
  if (phase !== 'scan' && issueNumber === undefined) {
    throw new ClientUsageError(`issueNumber is required for ${phase}`);
  }
  if (typeof commitSha !== 'string' || commitSha.trim() === '') {
    throw new ClientUsageError('commitSha is required; without git, say "unknown"');
  }
}

/** The value as it will be read back from the wire or the disk, cut off from the caller's object. */
function asJson(data: JsonObject): JsonObject {
  let copy: unknown;
  try {
    copy = JSON.parse(JSON.stringify(data));
  } catch (cause) {
    throw new ClientUsageError('data cannot be written as JSON', { cause });
  }
  if (!isJsonObject(copy)) throw new ClientUsageError('data must be a JSON object');
  return copy;
}

export function isJsonObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
