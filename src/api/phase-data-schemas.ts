import { z } from 'zod';
import {
  documentedCommit,
  documentedData,
  documentedForge,
  documentedForgeQuery,
  documentedIssueNumber,
  documentedRepository,
} from './phase-schemas.ts';

/** The body of an issue-scoped store, as documented; `parsePhaseDataRequest` judges it. */
export const phaseDataBodySchema = z
  .looseObject({
    repository: documentedRepository,
    issue_number: documentedIssueNumber,
    phase: z
      .enum(['scan', 'validate', 'mitigate'])
      .describe('`validation` and `mitigation` are accepted too.'),
    data: documentedData.describe('The result, kept as it is.'),
    commitSha: documentedCommit
      .optional()
      .describe('Not heeded for a scan, which is known by its issue here.'),
    forge: documentedForge.optional(),
  })
  .meta({
    examples: [
      {
        repository: 'acme/app',
        issue_number: 7,
        phase: 'mitigate',
        data: { fixed: true, prUrl: 'https://github.com/acme/app/pull/8' },
      },
    ],
  });

/** Which issue, as documented; `parsePhaseDataSubject` judges it, together with {@link phaseDataQuerySchema}. */
export const phaseDataPathSchema = z.object({
  repository: documentedRepository.describe('`owner/name`, URL-encoded: `owner%2Fname`.'),
  issue_number: documentedIssueNumber,
});

export const phaseDataQuerySchema = z.object({ forge: documentedForgeQuery });

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
  .meta({
    id: 'PhaseData',
    examples: [{ repository: 'acme/app', issue_number: 7, phases: { mitigate: { fixed: true } } }],
  });
