import { z } from 'zod';
import { WEBHOOK_EVENT_TYPES } from '../domain/webhook-event.ts';
import { DELIVERY_STATES } from '../store/webhook-deliveries.ts';
import { body, nextCursor, optional, pageSize, say, text, uuid } from './agent-fields.ts';

const URL_LIMIT = 2048;
const eventType = z.enum(WEBHOOK_EVENT_TYPES, say(`must be one of ${WEBHOOK_EVENT_TYPES.join(', ')}`));

export const newWebhookBody = body(
  {
    url: text(URL_LIMIT).meta({
      format: 'uri',
      pattern: '^https://',
      description:
        'Where events are to go: https, a host on the public internet, and neither user name nor fragment.',
    }),
    eventTypes: optional(
      z.array(eventType, say('must be an array')).min(1, 'must not be empty').max(WEBHOOK_EVENT_TYPES.length),
    ).describe('What to be told of; everything when left out.'),
  },
  { url: 'https://hooks.acme.example/phaserun', eventTypes: ['phase.completed', 'session.failed'] },
);

const webhook = z.object({
  id: z.guid(),
  url: z.string(),
  eventTypes: z.array(z.enum(WEBHOOK_EVENT_TYPES)),
  createdAt: z.iso.datetime(),
  failingSince: z.iso.datetime().nullable().describe('Since when nothing has arrived.'),
  disabledAt: z.iso.datetime().nullable().describe('Nothing is sent to it any more.'),
  disabledReason: z
    .enum(['gone', 'failing'])
    .nullable()
    .describe('gone: it answered 410; failing: nothing arrived for days.'),
});

export const webhookSchema = webhook.meta({ id: 'Webhook' });
export const webhookListSchema = z.object({ webhooks: z.array(webhookSchema) }).meta({ id: 'WebhookList' });
export const newWebhookSchema = webhook
  .extend({
    secret: z
      .string()
      .nullable()
      .describe(
        '`whsec_…`, for the verification of signatures (Standard Webhooks). It is shown this once: null where the answer is given again for its Idempotency-Key.',
      ),
    notice: z.string().optional().describe('Where the secret is not shown: how to get a new one.'),
  })
  .meta({ id: 'NewWebhook' });

export const deliverySchema = z
  .object({
    id: z.int(),
    eventId: z.string().describe('Sent as `webhook-id`, and the same at every attempt.'),
    eventType: z.string(),
    state: z.enum(DELIVERY_STATES),
    attempts: z.int(),
    createdAt: z.iso.datetime(),
    nextAttemptAt: z.iso.datetime().nullable(),
    lastAttemptAt: z.iso.datetime().nullable(),
    lastStatus: z.int().nullable().describe('HTTP status of the last answer; null where there was none.'),
    lastError: z.string().nullable(),
    finishedAt: z.iso.datetime().nullable(),
  })
  .meta({ id: 'WebhookDelivery' });

export const deliveryListSchema = z
  .object({ deliveries: z.array(deliverySchema), nextCursor })
  .meta({ id: 'WebhookDeliveryList' });

/** Ids of deliveries: as many digits as a double tells apart. */
const deliveryId = z
  .string(say('must be an integer'))
  .regex(/^\d{1,15}$/, 'must be an integer')
  .meta({ examples: ['4711'] })
  .transform(Number);

export const deliveryParameters = z.object({ id: uuid, deliveryId });

export const deliveryQuery = z.object({
  state: z.enum(DELIVERY_STATES, say(`must be one of ${DELIVERY_STATES.join(', ')}`)).optional(),
  limit: pageSize,
  cursor: deliveryId.optional().describe('The `nextCursor` of the page before.'),
});
