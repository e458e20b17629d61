import { sql } from 'slonik';
import { z } from 'zod';
import type { Connection } from './database.ts';
import {
  type Caller,
  kindOf,
  type Principal,
  principalJson,
  principalOf,
  principalRow,
} from './principal.ts';

/** Whom a caller turns out to be, for work that is too much to be done in the same statement. */
export async function findPrincipal(connection: Connection, caller: Caller): Promise<Principal> {
  const found = z.object({ principal: principalRow });
  const { principal } = await connection.one(sql.prepared(`find_principal.${kindOf(caller)}`, found)`
    WITH principal AS MATERIALIZED (
      ${principalOf(caller)}
    )
    SELECT ${principalJson} AS principal
  `);
  return principal;
}
