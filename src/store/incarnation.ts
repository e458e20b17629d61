import { sql } from 'slonik';
import { z } from 'zod';
import type { Connection } from './database.ts';

/** Names this database: another after a restore or a promotion, which may have taken rows away. */
export async function currentIncarnation(connection: Connection): Promise<string> {
  const { incarnation } = await connection.one(sql.prepared(
    'current_incarnation',
    z.object({ incarnation: z.string() }),
  )`
    SELECT database_incarnation() AS incarnation
  `);
  return incarnation;
}
