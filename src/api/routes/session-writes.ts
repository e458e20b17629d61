import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import type { ZodTypeProvider } from 'fastify-type-provider-zod';
import { z } from 'zod';
import { compact } from '../../domain/compact.ts';
import { SESSION_STATES, type SessionTransition } from '../../domain/session.ts';
import { fitsMetadata, SESSION_EVENTS, type SessionChange } from '../../domain/session-change.ts';
import type { Connection } from '../../store/database.ts';
import { createSession } from '../../store/sessions.ts';
import type { Metrics } from '../../telemetry/metrics.ts';
import { body, idParameter, name, object, optional, say, uuid } from '../agent-fields.ts';
import { AGENT_SCOPE, AGENT_WRITE_SCHEMA, writeProblems } from '../agent-route.ts';
import { auditRequest } from '../audit-request.ts';
import { changeSession, metadataTooLarge } from '../change-session.ts';
import { type Answer, IDEMPOTENT_ROUTE, runIdempotently } from '../idempotent.ts';
import { jsonResponse } from '../json-response.ts';
import { makeSessionDetail, sessionDetailSchema } from '../session-answer.ts';

export interface SessionWriteDependencies {
  readonly metrics: Pick<Metrics, 'product'>;
}

/** `POST /sessions`, `PUT /sessions/{id}` and `PUT /sessions/{id}/events`. */
export function registerSessionWrites(app: FastifyInstance, deps: SessionWriteDependencies): void {
  registerCreate(app, deps);
  registerUpdate(app, deps);
  registerEvent(app, deps);
}

const createBody = body(
  {
    agent_role: name,
    task_id: optional(uuid),
    metadata: optional(object),
  },
  { agent_role: 'engineering', metadata: { ticket: 'SEC-12' } },
);

const createdSchema = z
  .object({ session_id: z.guid(), status: z.literal('pending') })
  .meta({ id: 'CreatedSession' });

function registerCreate(app: FastifyInstance, { metrics }: SessionWriteDependencies): void {
  app.withTypeProvider<ZodTypeProvider>().post(
    '/sessions',
    {
      onRequest: app.authenticate,
      ...IDEMPOTENT_ROUTE,
      schema: {
        ...AGENT_WRITE_SCHEMA,
        operationId: 'createSession',
        summary: 'Begin a session',
        body: createBody,
        response: { 201: jsonResponse('It is pending.', createdSchema), ...writeProblems() },
      },
    },
    async (request, reply) => {
      let transitions: readonly SessionTransition[] = [];
      await runIdempotently(request, reply, { scope: AGENT_SCOPE }, async (transaction, customerId) => {
        const { agent_role: role, task_id: taskId, metadata = {} } = request.body;
        if (!fitsMetadata(metadata)) throw metadataTooLarge();
        const id = await createSession(transaction, compact({ customerId, role, taskId, metadata }));
        await auditRequest(request, transaction, {
          customerId,
          eventType: 'session.created',
          role,
          metadata: compact({ sessionId: id, taskId }),
        });
        transitions = [{ from: null, to: 'pending' }];
        return { status: 201, body: { session_id: id, status: 'pending' } };
      });
      metrics.product.recordTransitions(transitions);
    },
  );
}

const updateBody = body(
  {
    status: optional(z.enum(SESSION_STATES, say(`must be one of ${SESSION_STATES.join(', ')}`))),
    task_id: optional(uuid),
    metadata: optional(object).describe('Members to set; the others stay.'),
  },
  { status: 'active', metadata: { branch: 'fix/xss' } },
);

function registerUpdate(app: FastifyInstance, deps: SessionWriteDependencies): void {
  app.withTypeProvider<ZodTypeProvider>().put(
    '/sessions/:id',
    {
      onRequest: app.authenticate,
      ...IDEMPOTENT_ROUTE,
      schema: {
        ...AGENT_WRITE_SCHEMA,
        operationId: 'updateSession',
        summary: 'Move a session, give it a task, add to its metadata',
        description: 'What is left out stays. The state that it is in already is fine, and changes nothing.',
        params: idParameter,
        body: updateBody,
        response: {
          200: jsonResponse('The session as it is now.', sessionDetailSchema),
          ...writeProblems('NOT_FOUND', 'INVALID_TRANSITION'),
        },
      },
    },
    (request, reply) =>
      change(request, reply, deps, () => {
        const { status, task_id: taskId, metadata } = request.body;
        return { id: request.params.id, change: { status, taskId, metadata } };
      }),
  );
}

const EVENTS = Object.keys(SESSION_EVENTS) as (keyof typeof SESSION_EVENTS)[];

const eventBody = body(
  {
    event: z.enum(EVENTS, say(`must be ${EVENTS.join(', ')}: Invalid transition`)),
  },
  { event: 'activate' },
);

function registerEvent(app: FastifyInstance, deps: SessionWriteDependencies): void {
  app.withTypeProvider<ZodTypeProvider>().put(
    '/sessions/:id/events',
    {
      onRequest: app.authenticate,
      ...IDEMPOTENT_ROUTE,
      schema: {
        ...AGENT_WRITE_SCHEMA,
        operationId: 'sendSessionEvent',
        summary: 'Say what happened in a session',
        description: 'activate makes it active, complete completed, fail failed.',
        params: idParameter,
        body: eventBody,
        response: {
          200: jsonResponse('The session as it is now.', sessionDetailSchema),
          ...writeProblems('NOT_FOUND', 'INVALID_TRANSITION'),
        },
      },
    },
    (request, reply) =>
      change(request, reply, deps, () => ({
        id: request.params.id,
        change: { status: SESSION_EVENTS[request.body.event] },
      })),
  );
}

/** @param wanted reads the request; called when it is known to be valid */
async function change(
  request: FastifyRequest,
  reply: FastifyReply,
  { metrics }: SessionWriteDependencies,
  wanted: () => { readonly id: string; readonly change: SessionChange },
): Promise<void> {
  let transitions: readonly SessionTransition[] = [];
  const effect = async (transaction: Connection, customerId: string): Promise<Answer> => {
    const changed = await changeSession(request, transaction, { customerId, ...wanted() });
    transitions = changed.transitions;
    return { status: 200, body: await makeSessionDetail(transaction, customerId, changed.session) };
  };
  await runIdempotently(request, reply, { scope: AGENT_SCOPE }, effect);
  metrics.product.recordTransitions(transitions);
}
