import { sql } from 'slonik';
import { z } from 'zod';
import type { RepositoryName } from '../domain/run.ts';
import type { Connection } from './database.ts';
import {
  type Caller,
  kindOf,
  ownedBy,
  principalJson,
  principalOf,
  principalRow,
  unverifiedClaim,
} from './principal.ts';

const repositoryAccess = z.object({
  principal: principalRow,
  /** Whether the repository is open to the principal. */
  owned: z.boolean(),
  /** Unless it is: the caller's own claim of the namespace, or of one above it, that is yet to be verified. */
  unverifiedClaim: z.string().nullable(),
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
    ), owned AS MATERIALIZED (
      SELECT FROM principal WHERE refusal IS NULL AND ${ownedBy(caller, sql.fragment`customer_id`, repository)}
    )
    SELECT
      ${principalJson} AS principal,
      EXISTS (SELECT FROM owned) AS owned,
      ${unverifiedClaim(repository, sql.fragment`owned`)} AS "unverifiedClaim"
  `);
}
