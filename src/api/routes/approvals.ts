import type { FastifyInstance } from 'fastify';
import { type ReadDependencies } from '../read-for-customer.ts';
import { registerApprovalReads } from './approval-reads.ts';
import { registerApprovalWrites } from './approval-writes.ts';

/** `/approvals`: what somebody has to decide before an agent goes on. */
export function registerApprovals(app: FastifyInstance, deps: ReadDependencies): void {
  registerApprovalReads(app, deps);
  registerApprovalWrites(app);
}
