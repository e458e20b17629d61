import { z } from 'zod';
import { APPROVAL_STATUSES } from '../domain/approval.ts';
import type { Approval } from '../store/approvals.ts';
import { nextCursor } from './agent-fields.ts';

export const approvalSchema = z
  .object({
    approval_id: z.guid(),
    task_id: z.string(),
    approver_role: z.string().nullable(),
    status: z.enum(APPROVAL_STATUSES),
    reason: z.string().nullable(),
    comments: z.string().nullable(),
    created_at: z.iso.datetime(),
    decided_at: z.iso.datetime().nullable(),
  })
  .meta({ id: 'Approval' });

export const approvalListSchema = z
  .object({ approvals: z.array(approvalSchema), next_cursor: nextCursor })
  .meta({ id: 'ApprovalList' });

/** An approval as clients see it. */
export function makeApprovalAnswer(approval: Approval): z.infer<typeof approvalSchema> {
  return {
    approval_id: approval.id,
    task_id: approval.taskId,
    approver_role: approval.approverRole,
    status: approval.status,
    reason: approval.reason,
    comments: approval.comments,
    created_at: approval.createdAt,
    decided_at: approval.decidedAt,
  };
}
