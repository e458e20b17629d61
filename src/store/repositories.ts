import { sql } from 'slonik';
import { z } from 'zod';
import type { ArchivableRun } from '../domain/run.ts';
import type { Connection } from './database.ts';

const touched = z.object({ id: z.string() });

/** Makes the repository, or notes that something happened in it. */
export async function touchRepository(connection: Connection, run: ArchivableRun): Promise<string> {
  const { forge, namespace, name, fullPath } = run.repository;
  const { id } = await connection.one(sql.prepared('touch_repository', touched)`
    INSERT INTO repositories (customer_id, forge_type, namespace, name, full_path)
    VALUES (${run.customerId}, ${forge}, ${namespace}, ${name}, ${fullPath})
    ON CONFLICT (customer_id, forge_type, namespace, name) DO UPDATE SET last_activity_at = now()
    RETURNING id
  `);
  return id;
}
