import type { PendingResult } from './pending-results.ts';
import {
  isJsonObject,
  isSameRepository,
  type JsonObject,
  type Phase,
  type PhaseResult,
} from './phase-result.ts';
import type { RetrieveQuery } from './platform.ts';

/** What retrieve answers: absent phases are omitted, nothing known is `{}`. */
export interface PhaseData {
  readonly scan?: JsonObject;
  /** By `issue-<n>`. */
  readonly validation?: Readonly<Record<string, JsonObject>>;
  readonly mitigation?: Readonly<Record<string, JsonObject>>;
}

const SPELLINGS: Readonly<Record<Phase, readonly string[]>> = {
  scan: ['scan'],
  validation: ['validation', 'validate'],
  mitigation: ['mitigation', 'mitigate'],
};

/**
 * Answers a retrieve from results that are still on disk, by the platform's rules: a scan by commit, the others by
 * issue whatever the commit; the newest completed one, else the newest failed one.
 */
export function answerFromDisk(pending: readonly PendingResult[], query: RetrieveQuery): PhaseData {
  const results = pending.map(({ result }) => result).filter((result) => concerns(result, query));
  const scan = newest(results, 'scan');
  const validation = newest(results, 'validation');
  const mitigation = newest(results, 'mitigation');
  return {
    ...(scan ? { scan: unwrap(scan) } : {}),
    ...(validation ? { validation: byIssue(validation) } : {}),
    ...(mitigation ? { mitigation: byIssue(mitigation) } : {}),
  };
}

function concerns({ phase, metadata }: PhaseResult, query: RetrieveQuery): boolean {
  const sameSubject =
    phase === 'scan' ? metadata.commitSha === query.commitSha : metadata.issueNumber === query.issueNumber;
  return isSameRepository(metadata, query) && sameSubject;
}

/** `results` are oldest first. */
function newest(results: readonly PhaseResult[], phase: Phase): PhaseResult | undefined {
  const ofPhase = results.filter((result) => result.phase === phase);
  const withStatus = (status: string) =>
    ofPhase.findLast(({ metadata }) => (metadata.status ?? 'completed') === status);
  return withStatus('completed') ?? withStatus('failed');
}

function byIssue(result: PhaseResult): Record<string, JsonObject> {
  return { [`issue-${result.metadata.issueNumber}`]: unwrap(result) };
}

/** Callers may store a phase's own object or the whole document around it (`{ validation: { "issue-7": … } }`). */
function unwrap({ phase, data, metadata }: PhaseResult): JsonObject {
  const document = SPELLINGS[phase].map((key) => data[key]).find(isJsonObject);
  if (document === undefined) return data;
  if (phase === 'scan') return document;
  const { issueNumber } = metadata;
  const inner = [`issue-${issueNumber}`, `${issueNumber}`, 'issue-undefined'].map((key) => document[key]);
  return inner.find(isJsonObject) ?? data;
}
