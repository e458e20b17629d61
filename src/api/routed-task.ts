import { z } from 'zod';
import { dataBeside } from '../domain/task.ts';
import { body, name, object, optional, prose } from './agent-fields.ts';

/** One client calls the type `type`, and sends beside it what others send as `data`. */
const task = z
  .looseObject(
    {
      task_type: name.optional(),
      type: name.optional().describe('In place of task_type: every other member is data then.'),
      description: optional(prose),
      data: optional(object),
    },
    { error: ({ input }) => (input === undefined ? 'is required' : 'must be an object') },
  )
  .transform(({ task_type, ...rest }, context) => {
    const { type, description, data = {} } = rest;
    if (task_type !== undefined) return { taskType: task_type, description, data };
    if (type !== undefined) return { taskType: type, description, data: dataBeside(rest) };
    context.addIssue({ code: 'custom', path: ['task_type'], message: 'is required' });
    return z.NEVER;
  })
  .meta({ anyOf: [{ required: ['task_type'] }, { required: ['type'] }] });

/** What routes a task. */
export const routedTaskBody = body(
  {
    target: name.describe('Role that is to do it.'),
    task,
    from_role: optional(name).describe('Role that wants it done.'),
    context: z.unknown().optional(),
  },
  {
    target: 'engineering',
    task: { task_type: 'fix', description: 'Mitigate issue 7', data: { repo: 'acme/app', issue: 7 } },
  },
);
