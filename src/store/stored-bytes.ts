import { sql } from 'slonik';
import { z } from 'zod';
import type { Connection } from './database.ts';

const stored = z.object({ table: z.string(), bytes: z.number() });

/** Bytes on disk of every table, its indexes and large values included. It asks the catalogue, and reads no row. */
export function measureStoredBytes(connection: Connection): Promise<readonly z.infer<typeof stored>[]> {
  return connection.any(sql.prepared('measure_stored_bytes', stored)`
    SELECT relname AS "table", pg_total_relation_size(oid)::float8 AS bytes
    FROM pg_class WHERE relnamespace = current_schema()::regnamespace AND relkind = 'r'
  `);
}
