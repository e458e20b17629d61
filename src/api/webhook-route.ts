import { traceHeaders, writeHeaders } from './agent-headers.ts';

/** What the callers of these routes need. */
export const WEBHOOK_SCOPE = 'admin';

/** What each route of webhooks has in its schema. */
export const WEBHOOK_SCHEMA = {
  tags: ['webhooks'],
  security: [{ apiKey: [] }, { bearer: [] }],
  headers: traceHeaders,
};

/** What those have that write. */
export const WEBHOOK_WRITE_SCHEMA = { ...WEBHOOK_SCHEMA, headers: writeHeaders };
