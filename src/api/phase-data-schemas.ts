import { z } from 'zod';
import { FORGES } from '../domain/phase.ts';

const forge = z.enum(FORGES).default('github').optional();

/** The body of an issue-scoped store, as documented; `parsePhaseDataRequest` judges it. */
export const phaseDataBodySchema = z.looseObject({
  repository: z.string().describe('`owner/name`, on GitLab also `group/subgroup/name`.'),
  issue_number: z.int().positive(),
  phase: z.enum(['scan', 'validate', 'mitigate']).describe('`validation` and `mitigation` are accepted too.'),
  data: z.looseObject({}).default({}).describe('The result, kept as it is.'),
  commitSha: z.string().optional().describe('Not heeded for a scan, which is known by its issue here.'),
  forge,
});

/** Which issue, as documented; `parsePhaseDataSubject` judges it, together with {@link phaseDataQuerySchema}. */
export const phaseDataPathSchema = z.object({
  repository: z.string().describe('`owner/name`, URL-encoded: `owner%2Fname`.'),
  issue_number: z.int().positive(),
});

export const phaseDataQuerySchema = z.object({ forge });

/** What is known of an issue; a phase of which nothing is known is left out. */
export const phaseDataAnswerSchema = z
  .object({
    repository: z.string().describe('As it was asked for.'),
    issue_number: z.int().positive(),
    phases: z.object({
      scan: z.looseObject({}).optional(),
      validate: z.looseObject({}).optional(),
      mitigate: z.looseObject({}).optional(),
    }),
  })
  .meta({ id: 'PhaseData' });
