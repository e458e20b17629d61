import type { FastifyInstance } from 'fastify';
import type { ZodTypeProvider } from 'fastify-type-provider-zod';
import { z } from 'zod';
import { APPROVAL_STATUSES } from '../../domain/approval.ts';
import { compact } from '../../domain/compact.ts';
import { encodeCursor } from '../../domain/page-position.ts';
import { findApproval, listApprovals } from '../../store/approvals.ts';
import { cursor, idParameter, isUuid, LOOKUP_LIMIT, pageSize, say, text } from '../agent-fields.ts';
import { AGENT_SCHEMA, AGENT_SCOPE, found, readProblems } from '../agent-route.ts';
import { approvalListSchema, approvalSchema, makeApprovalAnswer } from '../approval-answer.ts';
import { jsonResponse } from '../json-response.ts';
import { type ReadDependencies, readForCustomer } from '../read-for-customer.ts';

/** `GET /approvals` and `GET /approvals/{id}`. */
export function registerApprovalReads(app: FastifyInstance, deps: ReadDependencies): void {
  registerList(app, deps);
  registerGet(app, deps);
}

const listQuery = z.object({
  status: z.enum(APPROVAL_STATUSES, say(`must be ${APPROVAL_STATUSES.join(', ')}`)).optional(),
  task_id: text(LOOKUP_LIMIT).optional(),
  limit: pageSize,
  cursor: cursor(isUuid),
});

function registerList(app: FastifyInstance, deps: ReadDependencies): void {
  app.withTypeProvider<ZodTypeProvider>().get(
    '/approvals',
    {
      onRequest: app.authenticate,
      schema: {
        ...AGENT_SCHEMA,
        operationId: 'listApprovals',
        summary: 'Approvals, the newest first',
        querystring: listQuery,
        response: { 200: jsonResponse('A page of them.', approvalListSchema), ...readProblems() },
      },
    },
    (request) =>
      readForCustomer(request, deps, AGENT_SCOPE, async (connection, customerId) => {
        const { status, task_id: task, limit, cursor: after } = request.query;
        const filter = compact({ status, task });
        const { rows, next } = await listApprovals(connection, customerId, filter, compact({ limit, after }));
        return { approvals: rows.map(makeApprovalAnswer), next_cursor: next && encodeCursor(next) };
      }),
  );
}

function registerGet(app: FastifyInstance, deps: ReadDependencies): void {
  app.withTypeProvider<ZodTypeProvider>().get(
    '/approvals/:id',
    {
      onRequest: app.authenticate,
      schema: {
        ...AGENT_SCHEMA,
        operationId: 'getApproval',
        summary: 'An approval, and how it was decided',
        params: idParameter,
        response: { 200: jsonResponse('The approval.', approvalSchema), ...readProblems('NOT_FOUND') },
      },
    },
    (request) =>
      readForCustomer(request, deps, AGENT_SCOPE, async (connection, customerId) => {
        const { id } = request.params;
        return makeApprovalAnswer(found(await findApproval(connection, customerId, id), 'approval'));
      }),
  );
}
