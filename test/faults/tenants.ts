import { randomBytes } from 'node:crypto';
import { type DevTenant, ensureDevTenant } from '../../src/cli/dev-tenants.ts';
import { WEBHOOK_EVENT_TYPES } from '../../src/domain/webhook-event.ts';
import type { Connection } from '../../src/store/database.ts';
import { createWebhookSubscription } from '../../src/store/webhook-subscriptions.ts';

/** Each with a webhook for everything, at an address where nobody answers: what counts is what is in the outbox. */
export async function makeTenants(pool: Connection, name: string, count: number): Promise<DevTenant[]> {
  const tenants: DevTenant[] = [];
  for (let index = 1; index <= count; index += 1) {
    const tenant = await ensureDevTenant(pool, `${name}-${index}`);
    const { customerId } = tenant;
    const secret = randomBytes(32);
    const url = 'http://127.0.0.1:9/';
    await createWebhookSubscription(pool, { customerId, url, eventTypes: [...WEBHOOK_EVENT_TYPES], secret });
    tenants.push(tenant);
  }
  return tenants;
}
