import { type FragmentSqlToken, sql } from 'slonik';
import { z } from 'zod';
import { APPROVAL_STATUSES, type ApprovalStatus, type Decision } from '../domain/approval.ts';
import type { Connection } from './database.ts';
import {
  foundRows,
  LAST_UUID,
  type Page,
  type PageRequest,
  pageOf,
  positionOf,
  startOf,
  toPage,
  variantOf,
} from './page.ts';

const approvalRow = z.object({
  id: z.string(),
  taskId: z.string(),
  approverRole: z.string().nullable(),
  status: z.enum(APPROVAL_STATUSES),
  reason: z.string().nullable(),
  comments: z.string().nullable(),
  createdAt: z.string(),
  decidedAt: z.string().nullable(),
});

export type Approval = z.infer<typeof approvalRow>;

const columns = sql.fragment`
  id, task_id AS "taskId", approver_role AS "approverRole", status, reason, notes AS comments,
  created_at AS "createdAt", decision_at AS "decidedAt"`;

/** What people say beside a question or a decision. */
export interface ApprovalRemarks {
  readonly approverRole?: string;
  readonly reason?: string;
  readonly comments?: string;
}

export interface NewApproval extends ApprovalRemarks {
  readonly customerId: string;
  /** Any text; there need be no such task here. */
  readonly taskId: string;
  readonly status: ApprovalStatus;
}

/** Asks for an approval, or notes one that was given elsewhere. */
export function createApproval(connection: Connection, approval: NewApproval): Promise<Approval> {
  const { customerId, taskId, approverRole, status, reason, comments } = approval;
  return connection.one(sql.prepared('create_approval', approvalRow)`
    INSERT INTO approvals (customer_id, task_id, approver_role, status, reason, notes, decision_at)
    VALUES (
      ${customerId}, ${taskId}, ${approverRole ?? null}, ${status}, ${reason ?? null}, ${comments ?? null},
      CASE WHEN ${status} <> 'pending' THEN now() END
    )
    RETURNING ${columns}
  `);
}

/**
 * Decides an approval; of two who decide at once the first does. Remarks that are not made again stay.
 * @returns null when there is no such approval that is pending
 */
export function decideApproval(
  connection: Connection,
  customerId: string,
  id: string,
  { decision, approverRole, reason, comments }: ApprovalRemarks & { readonly decision: Decision },
): Promise<Approval | null> {
  return connection.maybeOne(sql.prepared('decide_approval', approvalRow)`
    UPDATE approvals
    SET
      status = ${decision},
      decision_at = now(),
      approver_role = coalesce(${approverRole ?? null}, approver_role),
      reason = coalesce(${reason ?? null}, reason),
      notes = coalesce(${comments ?? null}, notes)
    WHERE id = ${id} AND customer_id = ${customerId} AND status = 'pending'
    RETURNING ${columns}
  `);
}

export function findApproval(
  connection: Connection,
  customerId: string,
  id: string,
): Promise<Approval | null> {
  return connection.maybeOne(sql.prepared('find_approval', approvalRow)`
    SELECT ${columns} FROM approvals WHERE id = ${id} AND customer_id = ${customerId}
  `);
}

export interface ApprovalFilter {
  readonly status?: ApprovalStatus;
  readonly task?: string;
}

/** The customer's approvals, the newest first. */
export async function listApprovals(
  connection: Connection,
  customerId: string,
  filter: ApprovalFilter,
  page: PageRequest,
): Promise<Page<Approval>> {
  const time = sql.fragment`created_at`;
  const newest = sql.fragment`
    SELECT * FROM approvals
    WHERE customer_id = ${customerId} ${matching(filter)}
      AND (created_at, id) < (${startOf(page)}::timestamptz, ${page.after?.id ?? LAST_UUID}::uuid)
    ORDER BY created_at DESC, id DESC
    LIMIT ${page.limit + 1}`;
  // What clients may make large.
  const printed = sql.fragment`ARRAY[reason, notes]`;
  const row = approvalRow.extend({ position: z.string(), found: z.number() });
  const rows = await connection.any(sql.prepared(`list_approvals.${variantOf({ ...filter })}`, row)`
    WITH RECURSIVE ${pageOf(page, { newest, time, printed })}
    SELECT ${columns}, ${positionOf(time)} AS position, ${foundRows} AS found FROM page ORDER BY number
  `);
  return toPage(rows, page);
}

function matching({ status, task }: ApprovalFilter): FragmentSqlToken {
  return sql.fragment`
    ${status === undefined ? sql.fragment`` : sql.fragment`AND status = ${status}`}
    ${task === undefined ? sql.fragment`` : sql.fragment`AND task_id = ${task}`}`;
}
