import { z } from 'zod';
import { FORGES, PHASES, RUN_STATUSES } from '../domain/phase.ts';
import { REPOSITORY_LIMIT } from '../domain/repository-name.ts';
import { ERROR_MESSAGE_LIMIT, TEXT_LIMIT } from '../domain/request-fields.ts';
import { SESSION_STATES } from '../domain/session.ts';
import { optionalKeyHeader } from './idempotency-key.ts';
import { STORED_AT_HEADER } from './stored-at.ts';

/** The result of a phase, as documented; `parseJsonExactly` judges it. */
export const documentedData = z.looseObject({}).default({});

/** A repository, as documented; `parseRepositoryName` judges it, by the rules of its forge. */
export const documentedRepository = z.string().meta({
  pattern: '^[A-Za-z0-9_.][A-Za-z0-9_.-]*(/[A-Za-z0-9_.-]+)+$',
  maxLength: REPOSITORY_LIMIT,
  description:
    '`owner/name`, on GitLab also `group/subgroup/name`; each in characters that the forge allows. Case makes no difference.',
  examples: ['acme/app'],
});

export const documentedIssueNumber = z
  .int()
  .positive()
  .meta({ examples: [7] });

export const documentedForge = z.enum(FORGES).default('github');
/** In a query, where empty is how some clients say absent. */
export const documentedForgeQuery = z
  .enum([...FORGES, ''])
  .default('github')
  .optional();
const time = z.string().meta({
  format: 'date-time',
  description: 'RFC 3339, of the years 1970 to 2999.',
  examples: ['2026-02-11T09:14:03.220Z'],
});
export const documentedCommit = z
  .string()
  .max(TEXT_LIMIT)
  .meta({ examples: ['7776c71'] });

/**
 * The body of a store as the OpenAPI document shows it. It teaches one spelling of each field; what is accepted
 * besides, and every check, is `parseStoreRequest`, which judges the body in place of this schema.
 */
export const storeBodySchema = z
  .looseObject({
    phase: z.enum(PHASES).describe('`validate` and `mitigate` are accepted too.'),
    repo: documentedRepository,
    forge: documentedForge.describe('Also `forge_type`.'),
    commitSha: documentedCommit
      .min(1)
      .describe('Also `commit_sha`. Any text: clients without git send `unknown` or `no-git-available`.'),
    issueNumber: documentedIssueNumber
      .optional()
      .describe('Also `issue_number`, and as a string. Required but for a scan.'),
    branch: z.string().max(TEXT_LIMIT).optional(),
    pipelineRunId: z.string().max(TEXT_LIMIT).optional().describe('Also `pipeline_run_id`.'),
    status: z.enum(RUN_STATUSES).default('completed'),
    startedAt: time.optional(),
    completedAt: time.optional(),
    errorMessage: z.string().optional().describe(`The first ${ERROR_MESSAGE_LIMIT} characters are kept.`),
    runId: z.guid().optional().describe('The `id` of an earlier answer: moves that run forward.'),
    data: documentedData.describe(
      'The result, kept as it is; either flat, or the phase document `{ "validation": { "issue-7": … } }`.',
    ),
  })
  .meta({
    anyOf: [{ properties: { phase: { const: 'scan' } } }, { required: ['issueNumber'] }],
    examples: [
      {
        phase: 'validation',
        repo: 'acme/app',
        issueNumber: 7,
        commitSha: '7776c71',
        branch: 'main',
        data: { validated: true, vulnerabilities: [{ type: 'xss', file: 'view.js', line: 12 }] },
      },
    ],
  });

/** Headers of a store, as documented; `storedAtOf` and `idempotencyKeyOf` judge them. */
export const storeHeadersSchema = z.object({
  'idempotency-key': optionalKeyHeader,
  [STORED_AT_HEADER]: time
    .optional()
    .describe(
      'When the result was stored elsewhere, because this API could not be reached. If newer results of the same issue or commit have arrived since, it becomes history instead of the newest. Leave it out of a first attempt.',
    ),
});

/** What a store is answered with; `persisted` says whether `retrieve` sees the result already. */
export const storeAnswerSchema = z
  .object({
    success: z.literal(true),
    id: z.uuid().describe('Id of the run. A result that was there already answers the id it has.'),
    phase: z.enum(PHASES),
    persisted: z.boolean().describe('false: durable, and soon a row.'),
    phaseRun: z
      .object({ namespace: z.string(), name: z.string() })
      .optional()
      .describe('Absent while Kubernetes cannot be reached: the PhaseRun is made when it is back.'),
    sessionId: z.uuid().optional(),
    sessionState: z.enum(SESSION_STATES).optional(),
  })
  .meta({
    id: 'StoreAnswer',
    examples: [
      {
        success: true,
        id: '0190163d-8694-739b-aea5-966c26f8ad90',
        phase: 'validation',
        persisted: true,
        phaseRun: { namespace: 'acme', name: 'app-7-9a9bcb0cac23-48211' },
        sessionId: '0190163d-8694-739b-aea5-966c26f8ad91',
        sessionState: 'active',
      },
    ],
  });

export type StoreAnswer = z.infer<typeof storeAnswerSchema>;

/** The query of a retrieve, as documented; `parseRetrieveQuery` judges it. */
export const retrieveQuerySchema = z.object({
  repo: documentedRepository,
  issue: documentedIssueNumber.optional().describe('Without it only the scan is answered.'),
  commit: documentedCommit
    .optional()
    .describe('Of the scan; validation and mitigation are found whatever their commit.'),
  forge: documentedForgeQuery,
  pipelineRunId: z.string().max(TEXT_LIMIT).optional().describe('Only results of this pipeline run.'),
});

const byIssue = z.record(z.string().regex(/^issue-\d+$/), z.looseObject({}));

/** What is known, phase by phase; a phase of which nothing is known is left out. */
export const retrieveAnswerSchema = z
  .object({
    scan: z.looseObject({}).optional(),
    validation: byIssue.optional(),
    mitigation: byIssue.optional(),
  })
  .meta({
    id: 'PhaseResults',
    examples: [
      {
        scan: { vulnerabilities: [{ type: 'xss', file: 'view.js', line: 12 }] },
        validation: { 'issue-7': { validated: true } },
      },
    ],
  });
