import { z } from 'zod';
import { idempotencyKey, makeTool } from '../tool.ts';

/** `notify`: puts an event into the audit, where everybody of the customer finds it. */
export const notify = makeTool({
  name: 'notify',
  title: 'Notify',
  description: 'Puts a message into the audit of the customer, for people and other agents to find.',
  annotations: { readOnlyHint: false, destructiveHint: false, idempotentHint: false },
  input: z.object({
    message: z.string().min(1),
    source: z.string().min(1).default('mcp').describe('Who says it, such as the role of the agent.'),
    category: z.string().min(1).default('notification'),
    action: z.string().min(1).default('notify').describe('What happened, in a word.'),
    subject: z.string().optional().describe('What it is about, such as the id of a task.'),
    trace_id: z.string().optional(),
    metadata: z.record(z.string(), z.unknown()).default({}),
    idempotency_key: idempotencyKey,
  }),
  call: (api, { message, metadata, trace_id: traceId, idempotency_key: key, ...event }) =>
    api.post('audit/ingest', { ...event, traceId, metadata: { ...metadata, message } }, key),
});
