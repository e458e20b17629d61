import { PHASE_SPELLINGS, type Phase } from './phase.ts';
import type { JsonObject } from './run.ts';
import { spellPath } from './unstorable.ts';

export type UnwrappedPayload =
  | { readonly ok: true; readonly data: JsonObject }
  | { readonly ok: false; readonly path: string; readonly message: string };

/** Whether a parsed JSON value is an object: neither null nor an array. */
export function isJsonObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/**
 * Takes the phase's own result out of what a client sent as `data`, which is either that result (flat) or the
 * whole phase document around it: `{ validation: { 'issue-1204': {…} } }`. A document may carry several issues:
 * the requested one is taken, and never another. What is neither is flat, and kept exactly as sent.
 *
 * A document that is certainly a whole one and lacks the requested issue is refused, since stored flat
 * it would answer for an issue that it says nothing of.
 */
export function unwrapPayload(request: {
  readonly phase: Phase;
  readonly issueNumber?: number | undefined;
  readonly data: JsonObject;
}): UnwrappedPayload {
  return request.phase === 'scan' ? unwrapScan(request) : unwrapIssue(request);
}

interface Request {
  readonly phase: Phase;
  readonly issueNumber?: number | undefined;
  readonly data: JsonObject;
}

function unwrapScan({ issueNumber, data }: Request): UnwrappedPayload {
  const { scan } = data;
  if (!isJsonObject(scan) || !isPhaseDocument(data)) return { ok: true, data };
  // Clients that key every phase by issue have none when they scan, and write `issue-undefined`.
  const keyed = isKeyedByIssue(scan) ? findIssue(scan, issueNumber) : undefined;
  return { ok: true, data: keyed ?? scan };
}

function unwrapIssue({ phase, issueNumber, data }: Request): UnwrappedPayload {
  const documents = SPELLINGS[phase]
    .map((outer) => ({ outer, issues: data[outer] }))
    .filter((document): document is { outer: string; issues: JsonObject } => isJsonObject(document.issues));
  for (const { issues } of documents) {
    const result = findIssue(issues, issueNumber);
    if (result !== undefined) return { ok: true, data: result };
  }
  const lacking = isPhaseDocument(data) ? documents.find(({ issues }) => isKeyedByIssue(issues)) : undefined;
  return lacking === undefined ? { ok: true, data } : refuse(lacking.outer, lacking.issues, issueNumber);
}

const SPELLINGS: Readonly<Record<Phase, readonly string[]>> = {
  scan: spellingsOf('scan'),
  validation: spellingsOf('validation'),
  mitigation: spellingsOf('mitigation'),
};

const ISSUE_KEY = /^(?:issue-)?\d+$|^issue-undefined$/;

function spellingsOf(phase: Phase): string[] {
  return Object.keys(PHASE_SPELLINGS).filter((spelling) => PHASE_SPELLINGS[spelling] === phase);
}

function isPhaseDocument(data: JsonObject): boolean {
  const keys = Object.keys(data);
  return keys.length > 0 && keys.every((key) => Object.hasOwn(PHASE_SPELLINGS, key));
}

function isKeyedByIssue(issues: JsonObject): boolean {
  const keys = Object.keys(issues);
  return keys.length > 0 && keys.every((key) => ISSUE_KEY.test(key));
}

function findIssue(issues: JsonObject, issueNumber: number | undefined): JsonObject | undefined {
  const keys = issueNumber === undefined ? [] : [`${issueNumber}`, `issue-${issueNumber}`];
  return [...keys, 'issue-undefined'].map((key) => issues[key]).find(isJsonObject);
}

const LISTED_ISSUES = 10;

function refuse(outer: string, issues: JsonObject, issueNumber: number | undefined): UnwrappedPayload {
  const keys = Object.keys(issues);
  const more = keys.length > LISTED_ISSUES ? ` and ${keys.length - LISTED_ISSUES} more` : '';
  const carried = keys.slice(0, LISTED_ISSUES).join(', ') + more;
  return {
    ok: false,
    path: spellPath('data', [outer]),
    message: `must carry a result for issue ${issueNumber}; it carries ${carried}`,
  };
}
