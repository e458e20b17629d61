import type { FastifyInstance } from 'fastify';
import type { ZodTypeProvider } from 'fastify-type-provider-zod';
import { z } from 'zod';
import { compact } from '../../domain/compact.ts';
import { encodeCursor } from '../../domain/page-position.ts';
import { type AuditEvent, listAuditEvents } from '../../store/audit-events.ts';
import { cursor, LOOKUP_LIMIT, nextCursor, pageSize, since, text } from '../agent-fields.ts';
import { AGENT_SCHEMA, AGENT_SCOPE, readProblems } from '../agent-route.ts';
import { jsonResponse } from '../json-response.ts';
import { TRACE_ID_LIMIT } from '../plugins/trace-id.ts';
import { type ReadDependencies, readForCustomer } from '../read-for-customer.ts';
import { registerAuditIngest } from './audit-ingest.ts';

/** `/audit`: what happened. */
export function registerAudit(app: FastifyInstance, deps: ReadDependencies): void {
  registerList(app, deps);
  registerAuditIngest(app);
}

const auditEventSchema = z
  .object({
    id: z.int(),
    event_type: z.string(),
    role: z.string().nullable(),
    timestamp: z.iso.datetime(),
    trace_id: z.string().nullable(),
    metadata: z.record(z.string(), z.unknown()),
  })
  .meta({ id: 'AuditEvent' });

const auditListSchema = z
  .object({ events: z.array(auditEventSchema), next_cursor: nextCursor })
  .meta({ id: 'AuditList' });

/** Ids of events: as many digits as a double tells apart. */
const EVENT_ID = /^\d{1,15}$/;

const listQuery = z.object({
  trace_id: text(TRACE_ID_LIMIT).optional(),
  event_type: text(LOOKUP_LIMIT).optional(),
  since: since.describe('None before this.'),
  limit: pageSize,
  cursor: cursor((id) => EVENT_ID.test(id), 'audit-cursor'),
});

function registerList(app: FastifyInstance, deps: ReadDependencies): void {
  app.withTypeProvider<ZodTypeProvider>().get(
    '/audit',
    {
      onRequest: app.authenticate,
      schema: {
        ...AGENT_SCHEMA,
        operationId: 'listAuditEvents',
        summary: 'What happened, the newest first',
        querystring: listQuery,
        response: { 200: jsonResponse('A page of events.', auditListSchema), ...readProblems() },
      },
    },
    (request) =>
      readForCustomer(request, deps, AGENT_SCOPE, async (connection, customerId) => {
        const { trace_id: traceId, event_type: eventType, limit, cursor: after } = request.query;
        const filter = compact({ traceId, eventType, since: request.query.since });
        const page = compact({ limit, after });
        const { rows, next } = await listAuditEvents(connection, customerId, filter, page);
        return { events: rows.map(makeEventAnswer), next_cursor: next && encodeCursor(next) };
      }),
  );
}

function makeEventAnswer(event: AuditEvent): z.infer<typeof auditEventSchema> {
  return {
    id: event.id,
    event_type: event.eventType,
    role: event.role,
    timestamp: event.timestamp,
    trace_id: event.traceId,
    metadata: event.metadata,
  };
}
