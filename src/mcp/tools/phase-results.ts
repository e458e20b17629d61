import { z } from 'zod';
import { makeTool } from '../tool.ts';

/** `phase_results`: what the security phases found. */
export const phaseResults = makeTool({
  name: 'phase_results',
  title: 'Results of the security phases',
  description:
    'What scan, validation and mitigation found: the scan of a commit, validation and mitigation of an issue. A phase of which nothing is known is left out.',
  annotations: { readOnlyHint: true },
  input: z
    .object({
      repo: z.string().min(1).describe('owner/name; on GitLab also group/subgroup/name.'),
      issue: z.int().positive().optional().describe('Whose validation and mitigation are wanted.'),
      commit: z.string().min(1).optional().describe('Whose scan is wanted.'),
      forge: z.enum(['github', 'gitlab']).default('github'),
    })
    .refine(({ issue, commit }) => issue !== undefined || commit !== undefined, {
      error: 'give an issue, a commit, or both',
    }),
  call(api, { repo, issue, commit, forge }) {
    const query = new URLSearchParams({ repo, forge });
    if (issue !== undefined) query.set('issue', String(issue));
    if (commit !== undefined) query.set('commit', commit);
    return api.get(`api/v1/phases/retrieve?${query.toString()}`);
  },
});
