import type { FastifyInstance } from 'fastify';
import type { ZodTypeProvider } from 'fastify-type-provider-zod';
import { z } from 'zod';
import { compact } from '../../domain/compact.ts';
import { encodeCursor } from '../../domain/page-position.ts';
import { TASK_STATUSES } from '../../domain/task.ts';
import { findTask, listTasks } from '../../store/tasks.ts';
import { cursor, idParameter, isUuid, name, pageSize, say } from '../agent-fields.ts';
import { AGENT_SCHEMA, AGENT_SCOPE, found, readProblems } from '../agent-route.ts';
import { jsonResponse } from '../json-response.ts';
import { type ReadDependencies, readForCustomer } from '../read-for-customer.ts';
import { makeTaskAnswer, taskListSchema, taskSchema } from '../task-answer.ts';
import { registerRouteTask } from './tasks-route.ts';

/** `/tasks`: what agents hand to each other. */
export function registerTasks(app: FastifyInstance, deps: ReadDependencies): void {
  registerRouteTask(app);
  registerList(app, deps);
  registerGet(app, deps);
}

const listQuery = z.object({
  target: name.optional(),
  status: z.enum(TASK_STATUSES, say(`must be one of ${TASK_STATUSES.join(', ')}`)).optional(),
  limit: pageSize,
  cursor: cursor(isUuid),
});

function registerList(app: FastifyInstance, deps: ReadDependencies): void {
  app.withTypeProvider<ZodTypeProvider>().get(
    '/tasks',
    {
      onRequest: app.authenticate,
      schema: {
        ...AGENT_SCHEMA,
        operationId: 'listTasks',
        summary: 'Tasks, the newest first',
        querystring: listQuery,
        response: { 200: jsonResponse('A page of them.', taskListSchema), ...readProblems() },
      },
    },
    (request) =>
      readForCustomer(request, deps, AGENT_SCOPE, async (connection, customerId) => {
        const { target, status, limit, cursor: after } = request.query;
        const filter = compact({ target, status });
        const { rows, next } = await listTasks(connection, customerId, filter, compact({ limit, after }));
        return { tasks: rows.map(makeTaskAnswer), next_cursor: next && encodeCursor(next) };
      }),
  );
}

function registerGet(app: FastifyInstance, deps: ReadDependencies): void {
  app.withTypeProvider<ZodTypeProvider>().get(
    '/tasks/:id',
    {
      onRequest: app.authenticate,
      schema: {
        ...AGENT_SCHEMA,
        operationId: 'getTask',
        summary: 'A task',
        params: idParameter,
        response: { 200: jsonResponse('The task.', taskSchema), ...readProblems('NOT_FOUND') },
      },
    },
    (request) =>
      readForCustomer(request, deps, AGENT_SCOPE, async (connection, customerId) =>
        makeTaskAnswer(found(await findTask(connection, customerId, request.params.id), 'task')),
      ),
  );
}
