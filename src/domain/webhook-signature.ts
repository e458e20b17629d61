import { createHmac } from 'node:crypto';

/** What is sent, and with which key it is signed. */
export interface WebhookMessage {
  readonly id: string;
  /** Unix seconds of this attempt: receivers refuse what is old. */
  readonly timestamp: number;
  readonly body: string;
  readonly secret: Uint8Array;
}

/**
 * The headers by which a receiver knows that a message is ours, and fresh, and which it has had before: Standard
 * Webhooks, https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md
 */
export function signedHeaders({ id, timestamp, body, secret }: WebhookMessage): Record<string, string> {
  const signature = createHmac('sha256', secret).update(`${id}.${timestamp}.${body}`).digest('base64');
  return {
    'webhook-id': id,
    'webhook-timestamp': String(timestamp),
    'webhook-signature': `v1,${signature}`,
  };
}

/** The key of a subscription as its owner is shown it. */
export function showWebhookSecret(secret: Uint8Array): string {
  return `whsec_${Buffer.from(secret).toString('base64')}`;
}
