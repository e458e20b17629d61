import { z } from 'zod';
import { TASK_STATUSES } from '../domain/task.ts';
import type { Task } from '../store/tasks.ts';
import { nextCursor } from './agent-fields.ts';

export const taskSchema = z
  .object({
    task_id: z.guid(),
    task_type: z.string(),
    description: z.string().nullable(),
    target: z.string(),
    from_role: z.string().nullable(),
    data: z.record(z.string(), z.unknown()),
    context: z.unknown().describe('As it was sent; null where nothing was.'),
    status: z
      .enum(TASK_STATUSES)
      .describe('accepted until a session carries it, and from then on the state of that session.'),
    trace_id: z.string().nullable(),
    created_at: z.iso.datetime(),
    completed_at: z.iso.datetime().nullable(),
  })
  .meta({ id: 'Task' });

export const taskListSchema = z
  .object({ tasks: z.array(taskSchema), next_cursor: nextCursor })
  .meta({ id: 'TaskList' });

/** A task as clients see it. */
export function makeTaskAnswer(task: Task): z.infer<typeof taskSchema> {
  return {
    task_id: task.id,
    task_type: task.taskType,
    description: task.description,
    target: task.target,
    from_role: task.fromRole,
    data: task.data,
    context: task.context,
    status: task.status,
    trace_id: task.traceId,
    created_at: task.createdAt,
    completed_at: task.completedAt,
  };
}
