import { sql } from 'slonik';
import { z } from 'zod';
import { SESSION_OUTCOMES, SESSION_STATES } from '../domain/session.ts';

/** A session as it is, whoever drives it. */
export const sessionRow = z.object({
  id: z.string(),
  role: z.string(),
  taskId: z.string().nullable(),
  status: z.enum(SESSION_STATES),
  outcome: z.enum(SESSION_OUTCOMES).nullable(),
  /** `github:owner/name` and `issue/1204`; null for a session that no run drives. */
  repository: z.string().nullable(),
  subject: z.string().nullable(),
  metadata: z.record(z.string(), z.unknown()),
  createdAt: z.string(),
  updatedAt: z.string(),
});

export type Session = z.infer<typeof sessionRow>;

/** What {@link sessionRow} reads, of sessions `s`. */
export const sessionColumns = sql.fragment`
  s.id, s.role, s.task_id AS "taskId", s.status, s.outcome,
  (SELECT r.forge_type || ':' || r.full_path FROM repositories r WHERE r.id = s.repository_id) AS repository,
  s.subject, s.metadata, s.created_at AS "createdAt", s.updated_at AS "updatedAt"`;
