import { z } from 'zod';
import { parseRepositoryName } from './repository-name.ts';
import * as fields from './request-fields.ts';
import type { JsonObject, RepositoryName } from './run.ts';
import { type FieldProblem, nameProblems, problemOf } from './spelled-fields.ts';
import { type ParsedStoreRequest, parseDialect, SPELLINGS } from './store-request.ts';

/**
 * Reads the body of an issue-scoped store. A scan that is stored this way is known by its issue: a commit that comes
 * with it is not part of its place, and stays out of it.
 */
export function parsePhaseDataRequest(body: unknown): ParsedStoreRequest {
  return parseDialect(body, {
    spellings: {
      ...SPELLINGS,
      repo: ['repository', 'repo'],
      issueNumber: ['issue_number', 'issueNumber'],
    },
    commitSha: 'optional',
  });
}

/** The issue whose results are asked for, or deleted. */
export interface PhaseDataSubject {
  readonly repository: RepositoryName;
  readonly issueNumber: number;
}

export type ParsedPhaseDataSubject =
  | { readonly ok: true; readonly value: PhaseDataSubject }
  | { readonly ok: false; readonly errors: readonly FieldProblem[] };

/** Reads `repository` and `issue_number` of the path, decoded, and `forge` of the query. */
export function parsePhaseDataSubject(parameters: JsonObject): ParsedPhaseDataSubject {
  const parsed = SUBJECT.safeParse(parameters);
  if (!parsed.success) return { ok: false, errors: nameProblems(parsed.error.issues, {}) };
  const { repository: text, issue_number: issueNumber, forge } = parsed.data;
  const repository = parseRepositoryName(forge, text);
  if (!repository.ok) return { ok: false, errors: [problemOf('repository', repository.message)] };
  return { ok: true, value: { repository: repository.value, issueNumber } };
}

const SUBJECT = z.object({
  repository: fields.repositoryText,
  issue_number: fields.issueNumber,
  forge: z.preprocess((value) => value || undefined, fields.forge.default('github')),
});
