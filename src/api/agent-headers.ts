import { z } from 'zod';
import { optionalKeyHeader } from './idempotency-key.ts';
import { TRACE_ID_LIMIT } from './plugins/trace-id.ts';

/** Headers of routes with a trace, as documented. */
export const traceHeaders = z.object({
  'x-trace-id': z
    .string()
    .optional()
    .describe(
      `Ties together all that is done for one purpose: any text, of which ${TRACE_ID_LIMIT} characters are kept. Without it the trace of \`traceparent\`, else a new one.`,
    ),
});

/** Headers of those that write. */
export const writeHeaders = traceHeaders.extend({ 'idempotency-key': optionalKeyHeader });
