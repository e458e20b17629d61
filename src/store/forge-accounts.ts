import { sql } from 'slonik';
import { z } from 'zod';
import { FORGES, type Forge } from '../domain/phase.ts';
import type { Connection } from './database.ts';
import { toDatabaseError } from './errors.ts';
import { ownerOf } from './principal.ts';

const forgeAccount = z.object({
  id: z.string(),
  forge: z.enum(FORGES),
  namespace: z.string(),
  /** Null: claimed, not verified; it opens nothing. */
  verifiedAt: z.string().nullable(),
  /** The forge's id of the owner, whose CI jobs alone it is open to; null: to those of whoever has the name. */
  ownerId: z.string().nullable(),
  createdAt: z.string(),
});

export type ForgeAccount = z.infer<typeof forgeAccount>;

/** Another customer has this namespace verified. */
export class ForgeAccountTakenError extends Error {
  override readonly name = 'ForgeAccountTakenError';

  constructor({ forge, namespace }: ForgeNamespace, cause: unknown) {
    super(`${forge} namespace ${namespace} is verified for another customer`, { cause });
  }
}

export interface ForgeNamespace {
  readonly forge: Forge;
  /** In any case: `Acme/Group`. */
  readonly namespace: string;
}

const columns = sql.fragment`
  id, forge_type AS forge, namespace, verified_at AS "verifiedAt", metadata->>'ownerId' AS "ownerId",
  created_at AS "createdAt"`;

/** Claims a namespace for a customer; claimed again, it stays as it is. */
export function addForgeAccount(
  connection: Connection,
  customerId: string,
  { forge, namespace }: ForgeNamespace,
): Promise<ForgeAccount> {
  return connection.one(sql.prepared('add_forge_account', forgeAccount)`
    INSERT INTO forge_accounts (customer_id, forge_type, namespace)
    VALUES (${customerId}, ${forge}, ${namespace.toLowerCase()})
    ON CONFLICT (customer_id, forge_type, namespace) DO UPDATE SET updated_at = now()
    RETURNING ${columns}
  `);
}

/**
 * Opens a claimed namespace to its customer.
 * @param account `ownerId`: see {@link ForgeAccount}; without it what was noted before stays
 * @returns null when the customer has not claimed it
 * @throws ForgeAccountTakenError
 */
export async function verifyForgeAccount(
  connection: Connection,
  customerId: string,
  account: ForgeNamespace & { readonly ownerId?: string },
): Promise<ForgeAccount | null> {
  try {
    return await connection.maybeOne(sql.prepared('verify_forge_account', forgeAccount)`
      UPDATE forge_accounts SET
        verified_at = coalesce(verified_at, now()),
        metadata = metadata || jsonb_strip_nulls(jsonb_build_object('ownerId', ${account.ownerId ?? null}::text)),
        updated_at = now()
      WHERE customer_id = ${customerId} AND forge_type = ${account.forge}
        AND namespace = ${account.namespace.toLowerCase()}
      RETURNING ${columns}
    `);
  } catch (error) {
    // Within a transaction it is the driver's own error.
    if (toDatabaseError(error).kind === 'conflict') throw new ForgeAccountTakenError(account, error);
    throw error;
  }
}

export function listForgeAccounts(
  connection: Connection,
  customerId: string,
): Promise<readonly ForgeAccount[]> {
  return connection.any(sql.prepared('list_forge_accounts', forgeAccount)`
    SELECT ${columns} FROM forge_accounts WHERE customer_id = ${customerId} ORDER BY forge_type, namespace
  `);
}

/** Gives a namespace up; false when the customer had not claimed it. */
export async function removeForgeAccount(
  connection: Connection,
  customerId: string,
  { forge, namespace }: ForgeNamespace,
): Promise<boolean> {
  const { rowCount } = await connection.query(sql.prepared('remove_forge_account', forgeAccount)`
    DELETE FROM forge_accounts
    WHERE customer_id = ${customerId} AND forge_type = ${forge} AND namespace = ${namespace.toLowerCase()}
  `);
  return rowCount > 0;
}

/** The customer to whom a forge namespace belongs; `prefixes` are the namespace and those above it. */
export async function findForgeOwner(
  connection: Connection,
  forge: Forge,
  prefixes: readonly string[],
): Promise<string | undefined> {
  const owner = z.object({ customerId: z.string().nullable() });
  const { customerId } = await connection.one(sql.prepared('find_forge_owner', owner)`
    SELECT ${ownerOf(forge, prefixes)} AS "customerId"
  `);
  return customerId ?? undefined;
}
