import { z } from 'zod';
import { compact } from './compact.ts';
import { isJsonObject, unwrapPayload } from './payload.ts';
import type { Phase, RunStatus } from './phase.ts';
import { type ParsedRepositoryName, parseRepositoryName } from './repository-name.ts';
import * as fields from './request-fields.ts';
import type { JsonObject, RepositoryName } from './run.ts';
import {
  type FieldProblem,
  gatherFields,
  nameProblems,
  problemOf,
  type Spellings,
} from './spelled-fields.ts';

/** What a runner asks to be kept, whatever spelling it used. */
export interface StoreRequest {
  readonly phase: Phase;
  readonly repository: RepositoryName;
  readonly issueNumber?: number;
  /** Absent only where {@link Dialect.commitSha} lets it be; a scan then has an issue. */
  readonly commitSha?: string;
  readonly branch?: string;
  readonly pipelineRunId?: string;
  readonly status: RunStatus;
  /** RFC 3339 in UTC, to the millisecond. */
  readonly startedAt?: string;
  readonly completedAt?: string;
  readonly errorMessage?: string;
  /** Id of the earlier run that this one moves forward. */
  readonly runId?: string;
  /** Exactly what will be stored. */
  readonly data: JsonObject;
}

export type ParsedStoreRequest =
  | { readonly ok: true; readonly value: StoreRequest }
  | { readonly ok: false; readonly errors: readonly FieldProblem[] };

/**
 * Reads the body of a store, which has come through `parseJsonExactly`. Problems are named by the
 * field as the client spelled it: first those of single fields, in the order of {@link SPELLINGS}; when there are none, those
 * between fields.
 */
export function parseStoreRequest(body: unknown): ParsedStoreRequest {
  return parseDialect(body, { spellings: SPELLINGS, commitSha: 'required' });
}

/** How a way in differs from the others: all lead to the same rows, by the same rules. */
export interface Dialect {
  readonly spellings: Spellings<keyof typeof SPELLINGS>;
  /** `required`, or `optional`: then the issue is required instead, and a scan is known by it alone. */
  readonly commitSha: 'required' | 'optional';
}

/** Reads the body of a store in any dialect. */
export function parseDialect(body: unknown, { spellings, commitSha }: Dialect): ParsedStoreRequest {
  if (!isJsonObject(body)) return refuse([{ path: '', message: 'the body must be a JSON object' }]);
  const { values, spelling } = gatherFields(body, spellings);
  const parsed = FIELDS[commitSha].safeParse(dropNulls(values));
  if (!parsed.success) return refuse(nameProblems(parsed.error.issues, spelling));
  return combine(parsed.data, spelling);
}

/** Every field of a store, each with its spellings; camel case wins. */
export const SPELLINGS = {
  phase: ['phase'],
  forge: ['forge', 'forge_type'],
  repo: ['repo'],
  issueNumber: ['issueNumber', 'issue_number'],
  commitSha: ['commitSha', 'commit_sha'],
  branch: ['branch'],
  pipelineRunId: ['pipelineRunId', 'pipeline_run_id'],
  status: ['status'],
  startedAt: ['startedAt', 'started_at'],
  completedAt: ['completedAt', 'completed_at'],
  errorMessage: ['errorMessage', 'error_message'],
  runId: ['runId', 'run_id'],
  data: ['data'],
} as const satisfies Spellings<string>;

type Spelling = Readonly<Record<keyof typeof SPELLINGS, string>>;

const COMMON_FIELDS = z.object({
  phase: fields.phase,
  forge: fields.forge.default('github'),
  repo: fields.repositoryText,
  issueNumber: fields.issueNumber.optional(),
  commitSha: fields.commitSha,
  branch: fields.optionalText,
  pipelineRunId: fields.pipelineRunId,
  status: fields.runStatus.default('completed'),
  startedAt: fields.timestamp.optional(),
  completedAt: fields.timestamp.optional(),
  errorMessage: fields.errorMessage,
  runId: fields.uuid.optional(),
  data: z.custom<JsonObject>(isJsonObject, 'must be an object').default({}),
});

const FIELDS = {
  required: COMMON_FIELDS,
  optional: COMMON_FIELDS.extend({
    issueNumber: fields.issueNumber,
    commitSha: fields.optionalText,
  }).transform((request) => (request.phase === 'scan' ? { ...request, commitSha: undefined } : request)),
} as const satisfies Record<Dialect['commitSha'], z.ZodType>;

/** Null is absent, but for `data`: a client that sends null there has lost a result, and is to hear of it. */
function dropNulls(values: { readonly [field: string]: unknown }): { readonly [field: string]: unknown } {
  return Object.fromEntries(
    Object.entries(values).filter(
      ([field, value]) => value !== undefined && (value !== null || field === 'data'),
    ),
  );
}

function combine(
  request: z.infer<(typeof FIELDS)[Dialect['commitSha']]>,
  spelling: Spelling,
): ParsedStoreRequest {
  const { repo, forge, data, ...rest } = request;
  const repository = parseRepositoryName(forge, repo);
  const payload = unwrapPayload({ phase: rest.phase, issueNumber: rest.issueNumber, data });
  const problems = [
    ...repositoryProblem(repository, spelling.repo),
    ...(rest.phase !== 'scan' && rest.issueNumber === undefined
      ? [problemOf(spelling.issueNumber, `is required for ${rest.phase}`)]
      : []),
  ];
  if (problems.length === 0 && !payload.ok) problems.push(problemOf(payload.path, payload.message));
  if (!repository.ok || !payload.ok || problems.length > 0) return refuse(problems);
  return { ok: true, value: compact({ ...rest, repository: repository.value, data: payload.data }) };
}

function repositoryProblem(repository: ParsedRepositoryName, path: string): FieldProblem[] {
  return repository.ok ? [] : [problemOf(path, repository.message)];
}

function refuse(errors: readonly FieldProblem[]): ParsedStoreRequest {
  return { ok: false, errors };
}
