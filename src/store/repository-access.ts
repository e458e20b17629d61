import { sql } from 'slonik';
import { z } from 'zod';
import type { RepositoryName } from '../domain/run.ts';
import type { Connection } from './database.ts';
import { type Caller, kindOf, ownedBy, principalJson, principalOf, principalRow } from './principal.ts';

const repositoryAccess = z.object({
  principal: principalRow,
  /** Whether the repository is open to the principal. */
  owned: z.boolean(),
});

export type RepositoryAccess = z.infer<typeof repositoryAccess>;

/** Who a caller is, and whether a repository is open to it. */
export function getRepositoryAccess(
  connection: Connection,
  caller: Caller,
  repository: RepositoryName,
): Promise<RepositoryAccess> {
  return connection.one(sql.prepared(`get_repository_access.${kindOf(caller)}`, repositoryAccess)`
    WITH principal AS MATERIALIZED (
      ${principalOf(caller)}
    )
    SELECT
      ${principalJson} AS principal,
      EXISTS (
        SELECT FROM principal WHERE refusal IS NULL AND ${ownedBy(caller, sql.fragment`customer_id`, repository)}
      ) AS owned
  `);
}
