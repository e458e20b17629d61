import type { JsonObject } from './run.ts';
import { SESSION_STATES } from './session.ts';

/** `accepted` until a session carries the task, and from then on the state of that session. */
export const TASK_STATUSES = ['accepted', ...SESSION_STATES] as const;
export type TaskStatus = (typeof TASK_STATUSES)[number];

/**
 * The data of a task whose client calls its type `type` and puts what others send as `data` beside it: every other
 * member, and those of a `data` object among them as if they were beside it too.
 */
export function dataBeside({ type: _, data, ...beside }: JsonObject): JsonObject {
  if (typeof data === 'object' && data !== null && !Array.isArray(data)) return { ...beside, ...data };
  return data === undefined || data === null ? beside : { ...beside, data };
}
