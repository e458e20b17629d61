import type { FastifyInstance } from 'fastify';
import type { ZodTypeProvider } from 'fastify-type-provider-zod';
import { z } from 'zod';
import { APPROVAL_STATUSES, DECISIONS } from '../../domain/approval.ts';
import { compact } from '../../domain/compact.ts';
import { type Approval, createApproval, decideApproval, findApproval } from '../../store/approvals.ts';
import { body, idParameter, LOOKUP_LIMIT, name, optional, prose, say, text } from '../agent-fields.ts';
import { AGENT_SCOPE, AGENT_WRITE_SCHEMA, found, writeProblems } from '../agent-route.ts';
import { approvalSchema, makeApprovalAnswer } from '../approval-answer.ts';
import { auditRequest } from '../audit-request.ts';
import { IDEMPOTENT_ROUTE, runIdempotently } from '../idempotent.ts';
import { jsonResponse } from '../json-response.ts';
import { ProblemError } from '../problem.ts';

/** `POST /approvals` and `PUT /approvals/{id}`. */
export function registerApprovalWrites(app: FastifyInstance): void {
  registerCreate(app);
  registerDecide(app);
}

const remarks = {
  comments: optional(prose),
  approver_role: optional(name),
  reason: optional(prose),
};

const createBody = body(
  {
    task_id: text(LOOKUP_LIMIT).describe('Any text; there need be no such task.'),
    decision: optional(z.enum(APPROVAL_STATUSES, say(`must be ${APPROVAL_STATUSES.join(', ')}`))).describe(
      'pending when it is left out.',
    ),
    ...remarks,
  },
  { task_id: 'deploy-42', approver_role: 'manager', reason: 'Goes to production' },
);

const createdSchema = z
  .object({ approval_id: z.guid(), status: z.enum(APPROVAL_STATUSES) })
  .meta({ id: 'CreatedApproval' });

function registerCreate(app: FastifyInstance): void {
  app.withTypeProvider<ZodTypeProvider>().post(
    '/approvals',
    {
      onRequest: app.authenticate,
      ...IDEMPOTENT_ROUTE,
      schema: {
        ...AGENT_WRITE_SCHEMA,
        operationId: 'createApproval',
        summary: 'Ask for an approval, or note a decision',
        body: createBody,
        response: {
          202: jsonResponse('It is kept; its status is the decision.', createdSchema),
          ...writeProblems(),
        },
      },
    },
    async (request, reply) => {
      await runIdempotently(request, reply, { scope: AGENT_SCOPE }, async (transaction, customerId) => {
        const { task_id: taskId, decision: status = 'pending', ...said } = request.body;
        const approval = await createApproval(
          transaction,
          compact({ customerId, taskId, status, ...remarksOf(said) }),
        );
        const eventType = status === 'pending' ? 'approval.requested' : `approval.${status}`;
        await auditRequest(request, transaction, { customerId, eventType, ...auditOf(approval) });
        return { status: 202, body: { approval_id: approval.id, status: approval.status } };
      });
    },
  );
}

const decideBody = body(
  {
    decision: z.enum(DECISIONS, say(`must be ${DECISIONS.join(' or ')}`)),
    ...remarks,
  },
  { decision: 'approved', comments: 'Looks good' },
);

function registerDecide(app: FastifyInstance): void {
  app.withTypeProvider<ZodTypeProvider>().put(
    '/approvals/:id',
    {
      onRequest: app.authenticate,
      ...IDEMPOTENT_ROUTE,
      schema: {
        ...AGENT_WRITE_SCHEMA,
        operationId: 'decideApproval',
        summary: 'Decide an approval, for good',
        params: idParameter,
        body: decideBody,
        response: {
          200: jsonResponse('The approval as decided.', approvalSchema),
          ...writeProblems('NOT_FOUND', 'APPROVAL_DECIDED'),
        },
      },
    },
    async (request, reply) => {
      await runIdempotently(request, reply, { scope: AGENT_SCOPE }, async (transaction, customerId) => {
        const { id } = request.params;
        const { decision, ...said } = request.body;
        const decided = await decideApproval(transaction, customerId, id, { decision, ...remarksOf(said) });
        if (decided === null) {
          throw alreadyDecided(found(await findApproval(transaction, customerId, id), 'approval'));
        }
        const eventType = `approval.${decision}`;
        await auditRequest(request, transaction, { customerId, eventType, ...auditOf(decided) });
        return { status: 200, body: makeApprovalAnswer(decided) };
      });
    },
  );
}

type Remarks = Pick<z.infer<typeof createBody>, 'approver_role' | 'comments' | 'reason'>;

function remarksOf({ approver_role: approverRole, comments, reason }: Remarks) {
  return compact({ approverRole, comments, reason });
}

function auditOf({ id, taskId, approverRole }: Approval) {
  return { role: approverRole, metadata: { approvalId: id, taskId } };
}

function alreadyDecided({ status }: Approval): ProblemError {
  return new ProblemError('APPROVAL_DECIDED', `This approval was ${status} already, and a decision is final`);
}
