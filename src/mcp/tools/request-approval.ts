import { z } from 'zod';
import { idempotencyKey, makeTool } from '../tool.ts';

/** `request_approval`: asks a person, or another agent, to decide. */
export const requestApproval = makeTool({
  name: 'request_approval',
  title: 'Request an approval',
  description: 'Asks for a decision about a task. It is pending until somebody approves or rejects it.',
  annotations: { readOnlyHint: false, destructiveHint: false, idempotentHint: false },
  input: z.object({
    task_id: z.string().min(1).describe('The task, or whatever else names what is to be approved.'),
    approver_role: z.string().max(50).optional().describe('Who is to decide, such as manager.'),
    reason: z.string().optional().describe('Why it needs approval.'),
    comments: z.string().optional(),
    idempotency_key: idempotencyKey,
  }),
  call: (api, { idempotency_key: key, ...request }) =>
    api.post('approvals', { ...request, decision: 'pending' }, key),
});
