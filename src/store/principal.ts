import { type FragmentSqlToken, sql } from 'slonik';
import { z } from 'zod';
import { namespacePrefixes } from '../domain/repository-name.ts';
import type { RepositoryName } from '../domain/run.ts';
import type { ApiKeyCredentials } from './api-key.ts';

/** What a caller may be good for. */
export const SCOPES = ['phases:read', 'phases:write', 'sessions', 'admin'] as const;
export type Scope = (typeof SCOPES)[number];

/** A caller whose token was signed for a customer by an issuer that may; that there is such a customer, the database says. */
export interface CustomerCaller {
  readonly kind: 'customer';
  /** An id, else a name. */
  readonly customer: string;
  readonly scopes: readonly Scope[];
  /** Who it is among the customer's callers: issuer and subject of the token. */
  readonly subject: string;
}

/** A CI job whose token its forge signed for one repository; whose that is, the verified forge accounts say. */
export interface RepositoryCaller {
  readonly kind: 'repository';
  readonly repository: RepositoryIdentity;
  /** The forge's own id of the owner, which stays when a name is given up and taken by somebody else. */
  readonly ownerId?: string;
}

/** Who asks. A key is yet to be checked; the others were authenticated, and are yet to be found. */
export type Caller = ApiKeyCredentials | CustomerCaller | RepositoryCaller;

type RepositoryIdentity = Pick<RepositoryName, 'forge' | 'namespace' | 'name'>;

/** What a CI job may do, in its own repository alone. */
const REPOSITORY_SCOPES: readonly Scope[] = ['phases:read', 'phases:write'];

/**
 * Whom a caller turned out to be. Why one is unknown is for the audit, never for the caller; that a key was
 * revoked or has expired is found out only by who knows its secret.
 */
export type Principal =
  | { readonly known: true; readonly customerId: string; readonly scopes: readonly Scope[] }
  | { readonly known: false; readonly reason: 'no_such_key' | (typeof REFUSALS)[number] };

const REFUSALS = ['wrong_secret', 'revoked', 'expired', 'no_such_customer', 'no_forge_account'] as const;

/** Names the text of {@link principalOf} and {@link ownedBy}. */
export function kindOf({ kind }: Caller): `by_${Caller['kind']}` {
  return `by_${kind}`;
}

/** Names a caller in logs and wherever else callers are told apart; holds nothing secret. */
export function actorOf(caller: Caller): string {
  if (caller.kind === 'key') return `key:${caller.keyId}`;
  if (caller.kind === 'customer') return `token:${caller.subject}`;
  return `repository:${identityOf(caller.repository)}`;
}

/** Columns customer_id, scopes, refusal and valid_until (of a key that will end) of at most one row. */
export function principalOf(caller: Caller): FragmentSqlToken {
  if (caller.kind === 'key') return principalOfKey(caller);
  return caller.kind === 'customer' ? principalOfCustomer(caller) : principalOfRepository(caller);
}

function principalOfKey({ keyId, secretSha256 }: ApiKeyCredentials): FragmentSqlToken {
  return sql.fragment`
    SELECT customer_id, scopes, CASE
      WHEN secret_sha256 <> decode(${secretSha256}, 'hex') THEN 'wrong_secret'
      WHEN revoked_at <= now() THEN 'revoked'
      WHEN expires_at <= now() THEN 'expired'
    END AS refusal, least(expires_at, revoked_at) AS valid_until
    FROM api_keys WHERE id = ${keyId}`;
}

/** What looks like an id is none but an id, so that nobody is taken for a customer of that name. */
function principalOfCustomer({ customer, scopes }: CustomerCaller): FragmentSqlToken {
  const isId = z.guid().safeParse(customer).success;
  return sql.fragment`
    SELECT customer_id, ${sql.array([...scopes], 'text')} AS scopes,
      CASE WHEN customer_id IS NULL THEN 'no_such_customer' END AS refusal, NULL::timestamptz AS valid_until
    FROM coalesce(
      (SELECT id FROM customers WHERE id = ${isId ? customer : null}::uuid),
      (SELECT id FROM customers WHERE name = ${isId ? null : customer})
    ) AS customer_id`;
}

/** An account with an owner id is open to jobs of that owner alone: to others it is as if there were none. */
function principalOfRepository({ repository, ownerId }: RepositoryCaller): FragmentSqlToken {
  const prefixes = namespacePrefixes(repository.namespace);
  const accounts = accountsOf(
    sql.fragment`${repository.forge}`,
    sql.fragment`${sql.array([...prefixes], 'text')}`,
  );
  return sql.fragment`
    SELECT customer_id, ${sql.array([...REPOSITORY_SCOPES], 'text')} AS scopes,
      CASE WHEN customer_id IS NULL THEN 'no_forge_account' END AS refusal, NULL::timestamptz AS valid_until
    FROM coalesce((
      SELECT CASE WHEN coalesce(metadata->>'ownerId' = ${ownerId ?? ''}, metadata->>'ownerId' IS NULL) THEN customer_id END
      FROM ${accounts}
    )) AS customer_id`;
}

/**
 * Whether a repository is open to a caller whose principal has this customer id: its namespace is that customer's,
 * and a CI job asks for none but its own repository. Every statement that reads or writes a repository's rows says so.
 */
export function ownedBy(
  caller: Caller,
  customerId: FragmentSqlToken,
  repository: RepositoryIdentity,
): FragmentSqlToken {
  const isOwner = sql.fragment`${customerId} = ${ownerOf(repository.forge, namespacePrefixes(repository.namespace))}`;
  if (caller.kind !== 'repository') return isOwner;
  return sql.fragment`(${isOwner} AND ${identityOf(repository)}::text = ${identityOf(caller.repository)})`;
}

/**
 * Of a repository that is not open to the principal: the longest of its own claims that cover the namespace, when that one
 * is yet to be verified, else null. It reads no row but the principal's own, so that it tells nothing of others. Goes
 * into a statement with a CTE named principal; `unless` is the CTE that has a row when the repository is open.
 */
export function unverifiedClaim(
  { forge, namespace }: RepositoryIdentity,
  unless: FragmentSqlToken,
): FragmentSqlToken {
  return sql.fragment`CASE WHEN NOT EXISTS (SELECT FROM ${unless}) THEN (
    SELECT CASE WHEN verified_at IS NULL THEN namespace END FROM forge_accounts
    WHERE customer_id = (SELECT customer_id FROM principal WHERE refusal IS NULL)
      AND forge_type = ${forge} AND namespace = ANY(${sql.array([...namespacePrefixes(namespace)], 'text')})
    ORDER BY length(namespace) DESC LIMIT 1
  ) END`;
}

function identityOf({ forge, namespace, name }: RepositoryIdentity): string {
  return `${forge}/${namespace}/${name}`;
}

/**
 * Whose namespace it is: a customer id, or null when no verified account covers it. Of nested namespaces the
 * longest verified one decides, so that a subgroup may belong to somebody else than its group.
 */
export function ownerOf(forge: string, namespacePrefixes: readonly string[]): FragmentSqlToken {
  const prefixes = sql.array([...namespacePrefixes], 'text');
  return ownerOfAny(sql.fragment`${forge}`, sql.fragment`${prefixes}`);
}

/** The same of what a statement has at hand. */
export function ownerOfAny(forge: FragmentSqlToken, namespacePrefixes: FragmentSqlToken): FragmentSqlToken {
  return sql.fragment`(SELECT customer_id FROM ${accountsOf(forge, namespacePrefixes)})`;
}

/** The account that decides, at most one. */
function accountsOf(forge: FragmentSqlToken, namespacePrefixes: FragmentSqlToken): FragmentSqlToken {
  return sql.fragment`(
    SELECT customer_id, metadata FROM forge_accounts
    WHERE forge_type = ${forge} AND namespace = ANY(${namespacePrefixes}) AND verified_at IS NOT NULL
    ORDER BY length(namespace) DESC LIMIT 1
  ) AS account`;
}

/** Reads what a statement selects of {@link principalOf}. */
export const principalRow = z
  .object({
    customerId: z.string().nullable(),
    scopes: z.array(z.enum(SCOPES)).nullable(),
    refusal: z.enum(REFUSALS).nullable(),
  })
  .transform(({ customerId, scopes, refusal }): Principal => {
    if (refusal !== null) return { known: false, reason: refusal };
    if (customerId === null) return { known: false, reason: 'no_such_key' };
    return { known: true, customerId, scopes: scopes ?? [] };
  });

/** What {@link principalRow} reads, of the one row of a CTE named principal. */
export const principalJson = sql.fragment`jsonb_build_object(
  'customerId', (SELECT customer_id FROM principal),
  'scopes', (SELECT scopes FROM principal),
  'refusal', (SELECT refusal FROM principal)
)`;
