import type { FastifyInstance } from 'fastify';
import type { ZodTypeProvider } from 'fastify-type-provider-zod';
import { compact } from '../../domain/compact.ts';
import { findDelivery, listDeliveries, replayDelivery } from '../../store/webhook-deliveries.ts';
import { findWebhookSubscription } from '../../store/webhook-subscriptions.ts';
import { idParameter } from '../agent-fields.ts';
import { found, readProblems, writeProblems } from '../agent-route.ts';
import { auditRequest } from '../audit-request.ts';
import { IDEMPOTENT_ROUTE, runIdempotently } from '../idempotent.ts';
import { jsonResponse } from '../json-response.ts';
import { ProblemError } from '../problem.ts';
import { type ReadDependencies, readForCustomer } from '../read-for-customer.ts';
import { WEBHOOK_SCHEMA, WEBHOOK_SCOPE, WEBHOOK_WRITE_SCHEMA } from '../webhook-route.ts';
import { deliveryListSchema, deliveryParameters, deliveryQuery, deliverySchema } from '../webhook-schemas.ts';

/** `/api/v1/webhooks/{id}/deliveries`: what a webhook was told, and how that went. */
export function registerWebhookDeliveries(app: FastifyInstance, deps: ReadDependencies): void {
  registerList(app, deps);
  registerReplay(app);
}

function registerList(app: FastifyInstance, deps: ReadDependencies): void {
  app.withTypeProvider<ZodTypeProvider>().get(
    '/api/v1/webhooks/:id/deliveries',
    {
      onRequest: app.authenticate,
      schema: {
        ...WEBHOOK_SCHEMA,
        operationId: 'listWebhookDeliveries',
        summary: 'What a webhook was told or is to be, the newest first',
        params: idParameter,
        querystring: deliveryQuery,
        response: { 200: jsonResponse('A page of it.', deliveryListSchema), ...readProblems('NOT_FOUND') },
      },
    },
    (request) =>
      readForCustomer(request, deps, WEBHOOK_SCOPE, async (connection, customerId) => {
        const { id: subscriptionId } = request.params;
        const { state, limit, cursor: before } = request.query;
        found(await findWebhookSubscription(connection, customerId, subscriptionId), 'webhook');
        const page = compact({ state, before, limit: limit + 1 });
        const rows = await listDeliveries(connection, { customerId, subscriptionId }, page);
        const deliveries = rows.slice(0, limit);
        const last = rows.length > limit ? deliveries.at(-1) : undefined;
        return { deliveries, nextCursor: last === undefined ? null : String(last.id) };
      }),
  );
}

function registerReplay(app: FastifyInstance): void {
  app.withTypeProvider<ZodTypeProvider>().post(
    '/api/v1/webhooks/:id/deliveries/:deliveryId/replay',
    {
      onRequest: app.authenticate,
      ...IDEMPOTENT_ROUTE,
      schema: {
        ...WEBHOOK_WRITE_SCHEMA,
        operationId: 'replayWebhookDelivery',
        summary: 'Tell a webhook of something again',
        description: 'Under the same `webhook-id`. What is on its way already stays so.',
        params: deliveryParameters,
        response: {
          202: jsonResponse('It is sent within seconds.', deliverySchema),
          ...writeProblems('NOT_FOUND', 'WEBHOOK_DISABLED'),
        },
      },
    },
    (request, reply) =>
      runIdempotently(request, reply, { scope: WEBHOOK_SCOPE }, async (transaction, customerId) => {
        const { id: subscriptionId, deliveryId } = request.params;
        const webhook = { customerId, subscriptionId };
        found(await findDelivery(transaction, webhook, deliveryId), 'delivery');
        const delivery = await replayDelivery(transaction, webhook, deliveryId);
        if (delivery === null) throw disabled();
        await auditRequest(request, transaction, {
          customerId,
          eventType: 'webhook.replayed',
          metadata: { webhookId: subscriptionId, deliveryId, eventId: delivery.eventId },
        });
        return { status: 202, body: delivery };
      }),
  );
}

function disabled(): ProblemError {
  return new ProblemError('WEBHOOK_DISABLED', 'The webhook is disabled; enable it first');
}
