import type { FastifyInstance } from 'fastify';
import type { ZodTypeProvider } from 'fastify-type-provider-zod';
import { z } from 'zod';
import { compact } from '../../domain/compact.ts';
import { parseTimestamp } from '../../domain/timestamp.ts';
import { body, LOOKUP_LIMIT, object, optional, prose, say, text } from '../agent-fields.ts';
import { AGENT_SCOPE, AGENT_WRITE_SCHEMA, writeProblems } from '../agent-route.ts';
import { auditRequest } from '../audit-request.ts';
import { IDEMPOTENT_ROUTE, runIdempotently } from '../idempotent.ts';
import { jsonResponse } from '../json-response.ts';
import { TRACE_ID_LIMIT } from '../plugins/trace-id.ts';

const timestamp = z
  .string(say('must be a string'))
  .refine(
    (value) => parseTimestamp(value) !== undefined,
    'must be an RFC 3339 time such as 2026-02-11T09:14:03.220Z',
  )
  .meta({ format: 'date-time' });

const ingestBody = body(
  {
    source: text(LOOKUP_LIMIT).describe('Who reports it.'),
    category: text(LOOKUP_LIMIT),
    action: text(LOOKUP_LIMIT),
    subject: optional(prose).describe('What it happened to.'),
    traceId: optional(text(TRACE_ID_LIMIT)).describe('The one of `X-Trace-Id` when it is left out.'),
    timestamp: optional(timestamp).describe('When it happened, by the clock of the source.'),
    metadata: optional(object),
  },
  {
    source: 'scanner',
    category: 'scan',
    action: 'started',
    subject: 'acme/app',
    timestamp: '2026-02-11T09:14:03.220Z',
  },
);

const ingestedSchema = z.object({ id: z.int() }).meta({ id: 'IngestedEvent' });

/**
 * `POST /audit/ingest`: adds what happened elsewhere. Such an event always names its source, which those of our own never
 * do, and its time is that of our clock: nobody can forge ours, or write into the past.
 */
export function registerAuditIngest(app: FastifyInstance): void {
  app.withTypeProvider<ZodTypeProvider>().post(
    '/audit/ingest',
    {
      onRequest: app.authenticate,
      ...IDEMPOTENT_ROUTE,
      schema: {
        ...AGENT_WRITE_SCHEMA,
        operationId: 'ingestAuditEvent',
        summary: 'Add an event of another system',
        description:
          'Its event_type is `category.action`, cut at 100 characters; its timestamp is when it arrived, and the one sent stands in its metadata as occurredAt.',
        body: ingestBody,
        response: { 202: jsonResponse('It is kept.', ingestedSchema), ...writeProblems() },
      },
    },
    async (request, reply) => {
      await runIdempotently(request, reply, { scope: AGENT_SCOPE }, async (transaction, customerId) => {
        const { traceId = request.traceId, timestamp: occurredAt, ...reported } = request.body;
        const { category, action } = reported;
        const id = await auditRequest(request, transaction, {
          customerId,
          eventType: `${category}.${action}`,
          traceId,
          metadata: compact({ ...reported, occurredAt }),
        });
        return { status: 202, body: { id } };
      });
    },
  );
}
