import { z } from 'zod';
import { FORGES, PHASES, RUN_STATUSES } from '../domain/phase.ts';
import { SESSION_STATES } from '../domain/session.ts';
import { STORED_AT_HEADER } from './stored-at.ts';

/**
 * The body of a store as the OpenAPI document shows it. It teaches one spelling of each field; what is accepted
 * besides, and every check, is `parseStoreRequest`, which judges the body in place of this schema.
 */
export const storeBodySchema = z.looseObject({
  phase: z.enum(PHASES).describe('`validate` and `mitigate` are accepted too.'),
  repo: z.string().describe('`owner/name`, on GitLab also `group/subgroup/name`; case makes no difference.'),
  forge: z.enum(FORGES).default('github').describe('Also `forge_type`.'),
  commitSha: z
    .string()
    .describe('Also `commit_sha`. Any text: clients without git send `unknown` or `no-git-available`.'),
  issueNumber: z.int().positive().optional().describe('Also `issue_number`. Required but for a scan.'),
  branch: z.string().optional(),
  pipelineRunId: z.string().optional().describe('Also `pipeline_run_id`.'),
  status: z.enum(RUN_STATUSES).default('completed'),
  startedAt: z.iso.datetime({ offset: true }).optional(),
  completedAt: z.iso.datetime({ offset: true }).optional(),
  errorMessage: z.string().optional(),
  runId: z.uuid().optional().describe('The `id` of an earlier answer: moves that run forward.'),
  data: z
    .looseObject({})
    .default({})
    .describe(
      'The result, kept as it is; either flat, or the phase document `{ "validation": { "issue-7": … } }`.',
    ),
});

/** Headers of a store, as documented; `storedAtOf` and `idempotencyKeyOf` judge them. */
export const storeHeadersSchema = z.object({
  'idempotency-key': z
    .string()
    .optional()
    .describe(
      'Makes it safe to send the result again: under the same key it is stored once, and answered the same. Up to 255 visible ASCII characters; a UUID is best.',
    ),
  [STORED_AT_HEADER]: z.iso
    .datetime({ offset: true })
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
    persisted: z.boolean().describe('false: durable as a PhaseRun, and soon a row.'),
    phaseRun: z.object({ namespace: z.string(), name: z.string() }),
    sessionId: z.uuid().optional(),
    sessionState: z.enum(SESSION_STATES).optional(),
  })
  .meta({ id: 'StoreAnswer' });

export type StoreAnswer = z.infer<typeof storeAnswerSchema>;

/** The query of a retrieve, as documented; `parseRetrieveQuery` judges it. */
export const retrieveQuerySchema = z.object({
  repo: z.string().describe('`owner/name`; encoded or not.'),
  issue: z.int().positive().optional().describe('Without it only the scan is answered.'),
  commit: z
    .string()
    .optional()
    .describe('Of the scan; validation and mitigation are found whatever their commit.'),
  forge: z.enum(FORGES).default('github').optional(),
  pipelineRunId: z.string().optional().describe('Only results of this pipeline run.'),
});

const byIssue = z.record(z.string().regex(/^issue-\d+$/), z.looseObject({}));

/** What is known, phase by phase; a phase of which nothing is known is left out. */
export const retrieveAnswerSchema = z
  .object({
    scan: z.looseObject({}).optional(),
    validation: byIssue.optional(),
    mitigation: byIssue.optional(),
  })
  .meta({ id: 'PhaseResults' });
