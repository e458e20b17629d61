import { randomBytes } from 'node:crypto';
import type { FastifyInstance } from 'fastify';
import type { ZodTypeProvider } from 'fastify-type-provider-zod';
import { z } from 'zod';
import { problemOf } from '../../domain/spelled-fields.ts';
import { WEBHOOK_EVENT_TYPES } from '../../domain/webhook-event.ts';
import { showWebhookSecret } from '../../domain/webhook-signature.ts';
import { parseWebhookUrl, type WebhookUrlRules } from '../../domain/webhook-url.ts';
import {
  createWebhookSubscription,
  enableWebhookSubscription,
  listWebhookSubscriptions,
  removeWebhookSubscription,
  SUBSCRIPTION_LIMIT,
} from '../../store/webhook-subscriptions.ts';
import { idParameter } from '../agent-fields.ts';
import { found, readProblems, writeProblems } from '../agent-route.ts';
import { auditRequest } from '../audit-request.ts';
import { IDEMPOTENT_ROUTE, runIdempotently } from '../idempotent.ts';
import { jsonResponse } from '../json-response.ts';
import { useTraceIds } from '../plugins/trace-id.ts';
import { fieldProblem, ProblemError } from '../problem.ts';
import { type ReadDependencies, readForCustomer } from '../read-for-customer.ts';
import { WEBHOOK_SCHEMA, WEBHOOK_SCOPE, WEBHOOK_WRITE_SCHEMA } from '../webhook-route.ts';
import { newWebhookBody, newWebhookSchema, webhookListSchema, webhookSchema } from '../webhook-schemas.ts';
import { registerWebhookDeliveries } from './webhook-deliveries.ts';

export interface WebhookRouteDependencies extends ReadDependencies {
  readonly webhooks: WebhookUrlRules;
}

const SECRET_BYTES = 32;
const SECRET_WAS_SHOWN =
  'The secret was shown once, in the first answer to this Idempotency-Key; for a new one delete this webhook and make another';

/** `/api/v1/webhooks`: where customers want to be told of what happens. */
export function registerWebhooks(app: FastifyInstance, deps: WebhookRouteDependencies): void {
  app.register(async (scope) => {
    useTraceIds(scope);
    registerCreate(scope, deps);
    registerList(scope, deps);
    registerRemove(scope);
    registerEnable(scope);
    registerWebhookDeliveries(scope, deps);
  });
}

function registerCreate(app: FastifyInstance, { webhooks }: WebhookRouteDependencies): void {
  app.withTypeProvider<ZodTypeProvider>().post(
    '/api/v1/webhooks',
    {
      onRequest: app.authenticate,
      ...IDEMPOTENT_ROUTE,
      schema: {
        ...WEBHOOK_WRITE_SCHEMA,
        operationId: 'createWebhook',
        summary: 'Ask to be told of what happens',
        description:
          'Events are sent as CloudEvents 1.0 (`application/cloudevents+json`), signed as Standard Webhooks has it, and for a day again until they are answered with a 2xx. One may arrive twice, under the same `webhook-id`, and in any order. The secret of the signatures is shown once, in the first answer: one that is given again for its Idempotency-Key has `null` in its place. For a new secret delete the webhook and make another.',
        body: newWebhookBody,
        response: {
          201: jsonResponse('It is told of whatever happens from now on.', newWebhookSchema),
          ...writeProblems('WEBHOOK_LIMIT_REACHED'),
        },
      },
    },
    (request, reply) =>
      runIdempotently(request, reply, { scope: WEBHOOK_SCOPE }, async (transaction, customerId) => {
        const parsed = parseWebhookUrl(request.body.url, webhooks);
        if (!parsed.ok) throw fieldProblem([problemOf('url', parsed.message)]);
        const eventTypes = [...new Set(request.body.eventTypes ?? WEBHOOK_EVENT_TYPES)];
        const secret = randomBytes(SECRET_BYTES);
        const made = { customerId, url: parsed.url, eventTypes, secret };
        const webhook = await createWebhookSubscription(transaction, made);
        if (webhook === null) throw limitReached();
        await auditRequest(request, transaction, {
          customerId,
          eventType: 'webhook.created',
          metadata: { webhookId: webhook.id, url: webhook.url, eventTypes },
        });
        return {
          status: 201,
          body: { ...webhook, secret: showWebhookSecret(secret) },
          keptBody: { ...webhook, secret: null, notice: SECRET_WAS_SHOWN },
        };
      }),
  );
}

function limitReached(): ProblemError {
  return new ProblemError(
    'WEBHOOK_LIMIT_REACHED',
    `There are ${SUBSCRIPTION_LIMIT} webhooks already, which is the most; delete one first`,
  );
}

function registerList(app: FastifyInstance, deps: WebhookRouteDependencies): void {
  app.withTypeProvider<ZodTypeProvider>().get(
    '/api/v1/webhooks',
    {
      onRequest: app.authenticate,
      schema: {
        ...WEBHOOK_SCHEMA,
        operationId: 'listWebhooks',
        summary: 'Webhooks, in the order in which they were made',
        response: { 200: jsonResponse('All of them.', webhookListSchema), ...readProblems() },
      },
    },
    (request) =>
      readForCustomer(request, deps, WEBHOOK_SCOPE, async (connection, customerId) => ({
        webhooks: [...(await listWebhookSubscriptions(connection, customerId))],
      })),
  );
}

function registerRemove(app: FastifyInstance): void {
  app.withTypeProvider<ZodTypeProvider>().delete(
    '/api/v1/webhooks/:id',
    {
      onRequest: app.authenticate,
      ...IDEMPOTENT_ROUTE,
      schema: {
        ...WEBHOOK_WRITE_SCHEMA,
        operationId: 'deleteWebhook',
        summary: 'Delete a webhook',
        description: 'Its log goes with it, and what it was yet to be told.',
        params: idParameter,
        response: {
          204: z.null().describe('It is told of nothing any more.'),
          ...writeProblems('NOT_FOUND'),
        },
      },
    },
    (request, reply) =>
      runIdempotently(request, reply, { scope: WEBHOOK_SCOPE }, async (transaction, customerId) => {
        const { id } = request.params;
        const { url } = found(await removeWebhookSubscription(transaction, customerId, id), 'webhook');
        await auditRequest(request, transaction, {
          customerId,
          eventType: 'webhook.deleted',
          metadata: { webhookId: id, url },
        });
        return { status: 204 };
      }),
  );
}

function registerEnable(app: FastifyInstance): void {
  app.withTypeProvider<ZodTypeProvider>().post(
    '/api/v1/webhooks/:id/enable',
    {
      onRequest: app.authenticate,
      ...IDEMPOTENT_ROUTE,
      schema: {
        ...WEBHOOK_WRITE_SCHEMA,
        operationId: 'enableWebhook',
        summary: 'Tell a webhook that was disabled of what happens again',
        description: 'What happened meanwhile it is not told of; what was cancelled can be replayed.',
        params: idParameter,
        response: {
          200: jsonResponse('The webhook as it is now.', webhookSchema),
          ...writeProblems('NOT_FOUND'),
        },
      },
    },
    (request, reply) =>
      runIdempotently(request, reply, { scope: WEBHOOK_SCOPE }, async (transaction, customerId) => {
        const { id } = request.params;
        const webhook = found(await enableWebhookSubscription(transaction, customerId, id), 'webhook');
        await auditRequest(request, transaction, {
          customerId,
          eventType: 'webhook.enabled',
          metadata: { webhookId: id },
        });
        return { status: 200, body: webhook };
      }),
  );
}
