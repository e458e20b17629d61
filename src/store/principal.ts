import { type FragmentSqlToken, sql } from 'slonik';
import { z } from 'zod';
import type { ApiKeyCredentials } from './api-key.ts';

/** What an API key may be good for. */
export const SCOPES = ['phases:read', 'phases:write', 'sessions', 'admin'] as const;
export type Scope = (typeof SCOPES)[number];

/** Who asks: the holder of an API key, yet to be checked, or a customer that was authenticated otherwise. */
export type Caller = ApiKeyCredentials | { readonly customerId: string; readonly scopes: readonly Scope[] };

/**
 * Whom a caller turned out to be. Why one is unknown is for the audit, never for the caller; that a key was
 * revoked or has expired is found out only by who knows its secret.
 */
export type Principal =
  | { readonly known: true; readonly customerId: string; readonly scopes: readonly Scope[] }
  | { readonly known: false; readonly reason: 'no_such_key' | 'wrong_secret' | 'revoked' | 'expired' };

/** Names the text of {@link principalOf}. */
export function kindOf(caller: Caller): 'by_key' | 'by_customer' {
  return 'keyId' in caller ? 'by_key' : 'by_customer';
}

/** Columns customer_id, scopes and refusal of at most one row. */
export function principalOf(caller: Caller): FragmentSqlToken {
  if (!('keyId' in caller)) {
    return sql.fragment`
      SELECT id AS customer_id, ${sql.array([...caller.scopes], 'text')} AS scopes, NULL AS refusal
      FROM customers WHERE id = ${caller.customerId}`;
  }
  return sql.fragment`
    SELECT customer_id, scopes, CASE
      WHEN secret_sha256 <> decode(${caller.secretSha256}, 'hex') THEN 'wrong_secret'
      WHEN revoked_at <= now() THEN 'revoked'
      WHEN expires_at <= now() THEN 'expired'
    END AS refusal
    FROM api_keys WHERE id = ${caller.keyId}`;
}

/**
 * Whose namespace it is: a customer id, or null when no verified account covers it. Of nested namespaces the
 * longest verified one decides, so that a subgroup may belong to somebody else than its group.
 */
export function ownerOf(forge: string, namespacePrefixes: readonly string[]): FragmentSqlToken {
  return sql.fragment`(
    SELECT customer_id FROM forge_accounts
    WHERE forge_type = ${forge} AND namespace = ANY(${sql.array([...namespacePrefixes], 'text')})
      AND verified_at IS NOT NULL
    ORDER BY length(namespace) DESC LIMIT 1
  )`;
}

/** Reads what a statement selects of {@link principalOf}. */
export const principalRow = z
  .object({
    customerId: z.string().nullable(),
    scopes: z.array(z.enum(SCOPES)).nullable(),
    refusal: z.enum(['wrong_secret', 'revoked', 'expired']).nullable(),
  })
  .transform(({ customerId, scopes, refusal }): Principal => {
    if (customerId === null) return { known: false, reason: 'no_such_key' };
    if (refusal !== null) return { known: false, reason: refusal };
    return { known: true, customerId, scopes: scopes ?? [] };
  });

/** What {@link principalRow} reads, of the one row of a CTE named principal. */
export const principalJson = sql.fragment`jsonb_build_object(
  'customerId', (SELECT customer_id FROM principal),
  'scopes', (SELECT scopes FROM principal),
  'refusal', (SELECT refusal FROM principal)
)`;
