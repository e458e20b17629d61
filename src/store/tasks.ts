import { type FragmentSqlToken, sql } from 'slonik';
import { z } from 'zod';
import type { JsonObject } from '../domain/run.ts';
import { TASK_STATUSES, type TaskStatus } from '../domain/task.ts';
import type { Connection } from './database.ts';
import {
  foundRows,
  LAST_UUID,
  type Page,
  type PageRequest,
  pageOf,
  positionOf,
  startOf,
  toPage,
  variantOf,
} from './page.ts';

const taskRow = z.object({
  id: z.string(),
  taskType: z.string(),
  description: z.string().nullable(),
  fromRole: z.string().nullable(),
  target: z.string(),
  data: z.record(z.string(), z.unknown()),
  context: z.unknown(),
  status: z.enum(TASK_STATUSES),
  traceId: z.string().nullable(),
  createdAt: z.string(),
  completedAt: z.string().nullable(),
});

export type Task = z.infer<typeof taskRow>;

const plainColumns = sql.fragment`
  id, task_type AS "taskType", description, from_role AS "fromRole", to_role AS target, status,
  trace_id AS "traceId", created_at AS "createdAt", completed_at AS "completedAt"`;

const columns = sql.fragment`${plainColumns}, data, context`;

export interface NewTask {
  readonly customerId: string;
  readonly taskType: string;
  readonly description?: string;
  readonly fromRole?: string;
  readonly target: string;
  readonly data: JsonObject;
  /** Any JSON. */
  readonly context?: unknown;
  readonly traceId: string;
  /** A UUID. */
  readonly idempotencyKey: string;
}

/**
 * Routes a task. The same key again, from the same customer, finds the first task, and changes nothing.
 * @returns the task, and whether it is new
 */
export async function createTask(
  connection: Connection,
  task: NewTask,
): Promise<{ readonly task: Task; readonly isNew: boolean }> {
  const { customerId, idempotencyKey } = task;
  const created = await connection.maybeOne(sql.prepared('create_task', taskRow)`
    INSERT INTO tasks (
      customer_id, task_type, description, from_role, to_role, data, context, trace_id, idempotency_key
    )
    VALUES (
      ${customerId}, ${task.taskType}, ${task.description ?? null}, ${task.fromRole ?? null}, ${task.target},
      ${JSON.stringify(task.data)}::jsonb, ${JSON.stringify(task.context ?? null)}::jsonb, ${task.traceId},
      ${idempotencyKey}
    )
    ON CONFLICT (customer_id, idempotency_key) DO NOTHING
    RETURNING ${columns}
  `);
  if (created !== null) return { task: created, isNew: true };
  const first = await connection.one(sql.prepared('get_task_by_key', taskRow)`
    SELECT ${columns} FROM tasks WHERE customer_id = ${customerId} AND idempotency_key = ${idempotencyKey}
  `);
  return { task: first, isNew: false };
}

export function findTask(connection: Connection, customerId: string, id: string): Promise<Task | null> {
  return connection.maybeOne(sql.prepared('find_task', taskRow)`
    SELECT ${columns} FROM tasks WHERE id = ${id} AND customer_id = ${customerId}
  `);
}

export interface TaskFilter {
  readonly target?: string;
  readonly status?: TaskStatus;
}

/** The customer's tasks, the newest first. */
export async function listTasks(
  connection: Connection,
  customerId: string,
  filter: TaskFilter,
  page: PageRequest,
): Promise<Page<Task>> {
  const time = sql.fragment`created_at`;
  const newest = sql.fragment`
    SELECT * FROM tasks
    WHERE customer_id = ${customerId} ${matching(filter)}
      AND (created_at, id) < (${startOf(page)}::timestamptz, ${page.after?.id ?? LAST_UUID}::uuid)
    ORDER BY created_at DESC, id DESC
    LIMIT ${page.limit + 1}`;
  // What clients may make large.
  const printed = sql.fragment`ARRAY[data::text, context::text, description]`;
  const row = taskRow.extend({ position: z.string(), found: z.number() });
  const rows = await connection.any(sql.prepared(`list_tasks.${variantOf({ ...filter })}`, row)`
    WITH RECURSIVE ${pageOf(page, { newest, time, printed })}
    SELECT ${plainColumns}, printed[1]::json AS data, printed[2]::json AS context, ${positionOf(time)} AS position,
      ${foundRows} AS found
    FROM page
    ORDER BY number
  `);
  return toPage(rows, page);
}

function matching({ target, status }: TaskFilter): FragmentSqlToken {
  return sql.fragment`
    ${target === undefined ? sql.fragment`` : sql.fragment`AND to_role = ${target}`}
    ${status === undefined ? sql.fragment`` : sql.fragment`AND status = ${status}`}`;
}
