import { z } from 'zod';
import { idempotencyKey, makeTool } from '../tool.ts';

/** `send_task`: hands a task to the agents of a role. */
export const sendTask = makeTool({
  name: 'send_task',
  title: 'Send a task',
  description:
    'Hands a task to the agents of a role. The task_id that it answers is what fetch_status takes.',
  annotations: { readOnlyHint: false, destructiveHint: false, idempotentHint: false },
  input: z.object({
    target: z.string().min(1).max(50).describe('The role, such as engineering.'),
    task_type: z.string().min(1).max(50),
    description: z.string().optional(),
    data: z.record(z.string(), z.unknown()).optional().describe('What the task needs.'),
    context: z.unknown().optional(),
    idempotency_key: idempotencyKey,
  }),
  call: (api, { target, context, idempotency_key: key, ...task }) =>
    api.post('tasks/route', { target, task, context }, key),
});
