import { z } from 'zod';
import { compact } from './compact.ts';
import { parseRepositoryName } from './repository-name.ts';
import * as fields from './request-fields.ts';
import type { RepositoryName } from './run.ts';
import {
  type FieldProblem,
  gatherFields,
  nameProblems,
  problemOf,
  type Spellings,
} from './spelled-fields.ts';

/** What a later phase asks for. */
export interface RetrieveQuery {
  readonly repository: RepositoryName;
  /** Absent: only the scan. */
  readonly issueNumber?: number;
  /** Absent: no scan, which is known by its commit. */
  readonly commitSha?: string;
  readonly pipelineRunId?: string;
}

export type ParsedRetrieveQuery =
  | { readonly ok: true; readonly value: RetrieveQuery }
  | { readonly ok: false; readonly errors: readonly FieldProblem[] };

/** A query as web frameworks parse it: a parameter that is there twice is an array. */
export type Query = { readonly [parameter: string]: unknown };

/**
 * Reads the query of a retrieve. `issue` must be an integer when it is there at all, since clients with a bug
 * send `issue=undefined`; the other optional parameters count as absent when empty.
 */
export function parseRetrieveQuery(query: Query): ParsedRetrieveQuery {
  const { values, spelling } = gatherFields(query, SPELLINGS);
  const parsed = FIELDS.safeParse(values);
  if (!parsed.success) return { ok: false, errors: nameProblems(parsed.error.issues, spelling) };
  const { repo, forge, ...rest } = parsed.data;
  const repository = parseRepositoryName(forge, repo);
  if (!repository.ok) return { ok: false, errors: [problemOf(spelling.repo, repository.message)] };
  return { ok: true, value: compact({ ...rest, repository: repository.value }) };
}

const SPELLINGS = {
  repo: ['repo'],
  issueNumber: ['issue', 'issueNumber', 'issue_number'],
  commitSha: ['commit', 'commitSha', 'commit_sha'],
  forge: ['forge', 'forge_type'],
  pipelineRunId: ['pipelineRunId', 'pipeline_run_id'],
} as const satisfies Spellings<string>;

const FIELDS = z.object({
  repo: once(fields.repositoryText),
  issueNumber: once(fields.issueNumber.optional()),
  commitSha: once(fields.optionalText),
  forge: once(z.preprocess((value) => value || undefined, fields.forge.default('github'))),
  pipelineRunId: once(fields.optionalText),
});

function once<Schema extends z.ZodType>(schema: Schema) {
  return z
    .unknown()
    .refine((value) => !Array.isArray(value), { message: 'must be there only once', abort: true })
    .pipe(schema);
}
