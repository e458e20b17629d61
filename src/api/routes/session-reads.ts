import type { FastifyInstance } from 'fastify';
import type { ZodTypeProvider } from 'fastify-type-provider-zod';
import { z } from 'zod';
import { compact } from '../../domain/compact.ts';
import { encodeCursor } from '../../domain/page-position.ts';
import { SESSION_STATES } from '../../domain/session.ts';
import type { Connection } from '../../store/database.ts';
import { countSessions, findSession, listSessions } from '../../store/sessions.ts';
import { cursor, idParameter, isUuid, name, pageNumber, pageSize, say } from '../agent-fields.ts';
import { AGENT_SCHEMA, AGENT_SCOPE, found, readProblems } from '../agent-route.ts';
import { jsonResponse } from '../json-response.ts';
import { type ReadDependencies, readForCustomer } from '../read-for-customer.ts';
import {
  makeSessionAnswer,
  makeSessionDetail,
  sessionDetailSchema,
  sessionListSchema,
} from '../session-answer.ts';

export type SessionReadDependencies = ReadDependencies;

/** `GET /sessions` and `GET /sessions/{id}`. */
export function registerSessionReads(app: FastifyInstance, deps: SessionReadDependencies): void {
  registerList(app, deps);
  registerGet(app, deps);
}

const listQuery = z.object({
  agent_role: name.optional(),
  status: z.enum(SESSION_STATES, say(`must be one of ${SESSION_STATES.join(', ')}`)).optional(),
  page: pageNumber,
  page_size: pageSize,
  cursor: cursor(isUuid).describe('The `next_cursor` of the page before; `page` is of no account then.'),
});

function registerList(app: FastifyInstance, deps: SessionReadDependencies): void {
  app.withTypeProvider<ZodTypeProvider>().get(
    '/sessions',
    {
      onRequest: app.authenticate,
      schema: {
        ...AGENT_SCHEMA,
        operationId: 'listSessions',
        summary: 'Sessions, the newest first',
        description: 'By page number, or by cursor: the latter costs the same however far it goes.',
        querystring: listQuery,
        response: { 200: jsonResponse('A page of them.', sessionListSchema), ...readProblems() },
      },
    },
    ({ query, caller }) =>
      readForCustomer({ caller }, deps, AGENT_SCOPE, (connection, customerId) =>
        query.cursor === undefined
          ? readNumberedPage(connection, customerId, query)
          : readPageAfter(connection, customerId, query),
      ),
  );
}

type ListQuery = z.infer<typeof listQuery>;

async function readNumberedPage(connection: Connection, customerId: string, query: ListQuery) {
  const { page, page_size: limit } = query;
  const filter = filterOf(query);
  const total = await countSessions(connection, customerId, filter);
  const offset = (page - 1) * limit;
  const { rows, next } =
    offset < total
      ? await listSessions(connection, customerId, filter, { limit, offset })
      : { rows: [], next: null };
  return {
    sessions: rows.map(makeSessionAnswer),
    total,
    page,
    page_size: limit,
    next_cursor: next && encodeCursor(next),
  };
}

async function readPageAfter(connection: Connection, customerId: string, query: ListQuery) {
  const page = compact({ limit: query.page_size, after: query.cursor });
  const { rows, next } = await listSessions(connection, customerId, filterOf(query), page);
  return {
    sessions: rows.map(makeSessionAnswer),
    page_size: query.page_size,
    next_cursor: next && encodeCursor(next),
  };
}

function filterOf({ agent_role, status }: ListQuery) {
  return compact({ role: agent_role, status });
}

function registerGet(app: FastifyInstance, deps: SessionReadDependencies): void {
  app.withTypeProvider<ZodTypeProvider>().get(
    '/sessions/:id',
    {
      onRequest: app.authenticate,
      schema: {
        ...AGENT_SCHEMA,
        operationId: 'getSession',
        summary: 'A session and what happened in it',
        description: 'By its own id, or by the id of the task that it carries: then the newest that does.',
        params: idParameter,
        response: { 200: jsonResponse('The session.', sessionDetailSchema), ...readProblems('NOT_FOUND') },
      },
    },
    (request) =>
      readForCustomer(request, deps, AGENT_SCOPE, async (connection, customerId) => {
        const session = found(await findSession(connection, customerId, request.params.id), 'session');
        return makeSessionDetail(connection, customerId, session);
      }),
  );
}
