/** What the callers of these routes need. */
export const WEBHOOK_SCOPE = 'admin';

/** What each route of webhooks has in its schema. */
export const WEBHOOK_SCHEMA = { tags: ['webhooks'], security: [{ apiKey: [] }, { bearer: [] }] };
