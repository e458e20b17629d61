import type { FastifyInstance } from 'fastify';
import type { ZodTypeProvider } from 'fastify-type-provider-zod';
import { z } from 'zod';
import { compact } from '../../domain/compact.ts';
import { createTask, type NewTask } from '../../store/tasks.ts';
import { traceHeaders } from '../agent-headers.ts';
import { AGENT_SCHEMA, AGENT_SCOPE, writeProblems } from '../agent-route.ts';
import { auditRequest } from '../audit-request.ts';
import { idempotencyKeyOf, uuidKeyHeader } from '../idempotency-key.ts';
import { IDEMPOTENT_ROUTE, runIdempotently } from '../idempotent.ts';
import { jsonResponse } from '../json-response.ts';
import { routedTaskBody } from '../routed-task.ts';

const acceptedSchema = z
  .object({ task_id: z.guid(), status: z.literal('accepted'), trace_id: z.string() })
  .meta({ id: 'AcceptedTask' });

/** A task cannot be routed twice by accident: the route wants a key. */
const KEY = { scope: AGENT_SCOPE, key: 'uuid' } as const;

/** `POST /tasks/route`: hands a task to a role. The same Idempotency-Key answers the first task, for ever. */
export function registerRouteTask(app: FastifyInstance): void {
  app.withTypeProvider<ZodTypeProvider>().post(
    '/tasks/route',
    {
      onRequest: app.authenticate,
      ...IDEMPOTENT_ROUTE,
      schema: {
        ...AGENT_SCHEMA,
        headers: traceHeaders.extend({ 'idempotency-key': uuidKeyHeader }),
        operationId: 'routeTask',
        summary: 'Hand a task to a role',
        description: 'Needs an Idempotency-Key that is a UUID; the same key again answers the first task.',
        body: routedTaskBody,
        response: { 202: jsonResponse('It can be read back.', acceptedSchema), ...writeProblems() },
      },
    },
    async (request, reply) => {
      await runIdempotently(request, reply, KEY, async (transaction, customerId) => {
        const { target, task, from_role: fromRole, context } = request.body;
        const idempotencyKey = requireKey(idempotencyKeyOf(request.headers, KEY.key));
        const { traceId } = request;
        const wanted = compact({ customerId, target, ...task, fromRole, context, traceId, idempotencyKey });
        const { task: routed, isNew } = await createTask(transaction, wanted satisfies NewTask);
        if (isNew) {
          await auditRequest(request, transaction, {
            customerId,
            eventType: 'task.routed',
            role: routed.fromRole,
            metadata: { taskId: routed.id, taskType: routed.taskType, target },
          });
        }
        const body = { task_id: routed.id, status: 'accepted', trace_id: routed.traceId };
        return { status: 202, body };
      });
    },
  );
}

function requireKey(key: string | undefined): string {
  if (key === undefined) throw new Error('the key was required before');
  return key;
}
