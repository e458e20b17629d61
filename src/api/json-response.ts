import type { z } from 'zod';

/** A success as a route's `response` schema documents and serialises it. */
export function jsonResponse<Schema extends z.ZodType>(description: string, schema: Schema) {
  return { description, content: { 'application/json': { schema } } };
}
