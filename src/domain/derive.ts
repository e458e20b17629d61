import { compact } from './compact.ts';
import { isJsonObject } from './payload.ts';
import type { Phase } from './phase.ts';
import { computeTrustScore, readOutcomes, type TestOutcomes } from './red-green.ts';
import type { JsonObject } from './run.ts';

/** How the tests went on the vulnerable and on the fixed commit, as far as the data says. */
export const RED_GREEN = ['proven', 'inverted', 'unproven', 'unknown'] as const;
export type RedGreen = (typeof RED_GREEN)[number];

/** What the columns, the status summary and the session need to know of a payload; nothing here is ever written back into it. */
export interface DerivedResult {
  readonly vulnerabilities?: number;
  /** Never true for an inverted validation, whatever the client says. */
  readonly validated?: boolean;
  readonly redGreen: RedGreen;
  /** Validation only: `validated: false` and nothing found, by tests that could run and were not inverted. */
  readonly falsePositive: boolean;
  /** 0 to 100; mitigation only. */
  readonly trustScore?: number;
  readonly pullRequestUrl?: string;
  readonly pullRequestNumber?: number;
  readonly filesChanged?: number;
  readonly language?: string;
  readonly framework?: string;
}

/**
 * Reads a payload of any client; never throws, whatever the shape: what cannot be read, or would not fit its
 * column, is absent.
 */
export function deriveResult(phase: Phase, data: JsonObject): DerivedResult {
  return DERIVE[phase](data);
}

const DERIVE: Readonly<Record<Phase, (data: JsonObject) => DerivedResult>> = {
  scan: (data) =>
    compact({ redGreen: 'unknown', falsePositive: false, vulnerabilities: countVulnerabilities(data) }),
  validation: deriveValidation,
  mitigation: deriveMitigation,
};

function deriveValidation(data: JsonObject): DerivedResult {
  const outcomes = readOutcomes(data);
  const inverted = outcomes.vulnerable === 'passed';
  return compact({
    vulnerabilities: countVulnerabilities(data),
    validated: inverted ? false : asBoolean(data['validated']),
    redGreen: judgeValidation(outcomes),
    falsePositive:
      !inverted && !outcomes.infrastructureFailed && data['validated'] === false && foundNothing(data),
    language: asName(data['language']),
    framework: asName(data['framework']),
  });
}

function deriveMitigation(data: JsonObject): DerivedResult {
  const outcomes = readOutcomes(data);
  const pullRequestUrl = first(asUrl, data['prUrl'], data['pr_url']);
  return compact({
    redGreen: judgeMitigation(outcomes, data['fixed']),
    falsePositive: false,
    trustScore: computeTrustScore(outcomes) ?? first(asScore, data['trustScore'], data['trust_score']),
    pullRequestUrl,
    pullRequestNumber:
      first(asPositiveInteger, data['prNumber'], data['pr_number']) ?? numberInUrl(pullRequestUrl),
    filesChanged:
      first(asCount, data['filesChanged'], data['files_changed']) ?? countFixedFiles(data['fixes']),
    language: asName(data['language']),
    framework: asName(data['framework']),
  });
}

function judgeValidation({ vulnerable }: TestOutcomes): RedGreen {
  if (vulnerable === 'unknown') return 'unknown';
  return vulnerable === 'failed' ? 'proven' : 'inverted';
}

function judgeMitigation({ vulnerable, fixed }: TestOutcomes, saysFixed: unknown): RedGreen {
  if (saysFixed === false || fixed === 'failed') return 'unproven';
  return vulnerable === 'failed' && fixed === 'passed' ? 'proven' : 'unknown';
}

function countVulnerabilities(data: JsonObject): number | undefined {
  const { vulnerabilities } = data;
  return Array.isArray(vulnerabilities) ? vulnerabilities.length : undefined;
}

function foundNothing(data: JsonObject): boolean {
  return (data['vulnerabilities'] ?? null) === null || countVulnerabilities(data) === 0;
}

function countFixedFiles(fixes: unknown): number | undefined {
  if (!Array.isArray(fixes)) return undefined;
  const files = fixes.map((fix: unknown) => (isJsonObject(fix) ? fix['file'] : undefined));
  return new Set(files.filter((file) => typeof file === 'string')).size || undefined;
}

const PULL_REQUEST = /\/(?:pull|merge_requests)\/(\d{1,15})(?:[/?#]|$)/;

function numberInUrl(url: string | undefined): number | undefined {
  return asPositiveInteger(Number(url === undefined ? undefined : PULL_REQUEST.exec(url)?.[1]));
}

// Limits of the columns: varchar(100), integer, bigint above zero, double precision from 0 to 100.
const NAME_LENGTH = 100;
const URL_LENGTH = 2048;
const INTEGER_MAX = 2_147_483_647;

/** The first of several spellings that can be read. */
function first<T>(read: (value: unknown) => T | undefined, ...spellings: unknown[]): T | undefined {
  return spellings.map(read).find((value) => value !== undefined);
}

function asBoolean(value: unknown): boolean | undefined {
  return typeof value === 'boolean' ? value : undefined;
}

function asName(value: unknown): string | undefined {
  return typeof value === 'string' && value !== '' && value.length <= NAME_LENGTH ? value : undefined;
}

function asUrl(value: unknown): string | undefined {
  return typeof value === 'string' && value.length <= URL_LENGTH && /^https?:\/\//i.test(value)
    ? value
    : undefined;
}

function asScore(value: unknown): number | undefined {
  return typeof value === 'number' && value >= 0 && value <= 100 ? value : undefined;
}

function asCount(value: unknown): number | undefined {
  return Number.isInteger(value) && Number(value) >= 0 && Number(value) <= INTEGER_MAX
    ? Number(value)
    : undefined;
}

function asPositiveInteger(value: unknown): number | undefined {
  return Number.isSafeInteger(value) && Number(value) > 0 ? Number(value) : undefined;
}
