import { type FragmentSqlToken, sql } from 'slonik';
import { z } from 'zod';
import { FORGES } from '../domain/phase.ts';
import type { RepositoryName } from '../domain/run.ts';
import type { Connection } from './database.ts';

/** What nobody may take away: all of a customer, a repository, or one issue of it. */
export interface HoldSubject {
  readonly customerId: string;
  readonly repository?: Pick<RepositoryName, 'forge' | 'namespace' | 'name'>;
  readonly issueNumber?: number;
}

const hold = z.object({
  id: z.string(),
  customerId: z.string(),
  customer: z.string(),
  forge: z.enum(FORGES).nullable(),
  /** `namespace/name`; null: all of the customer. */
  repository: z.string().nullable(),
  /** Null: all of the repository. */
  issueNumber: z.number().nullable(),
  reason: z.string(),
  createdAt: z.string(),
});

export type LegalHold = z.infer<typeof hold>;

const nothing = z.object({});

const columns = sql.fragment`
  h.id, h.customer_id AS "customerId", c.name AS customer, h.forge_type AS forge,
  h.namespace || '/' || h.name AS repository, h.issue_number AS "issueNumber", h.reason, h.created_at AS "createdAt"`;

/**
 * Begins a transaction that takes away what may be held: a hold that is being made is waited for, and one that is made later
 * waits for the end of this transaction. The statements after this one see the holds as they are.
 */
export async function shareLegalHolds(transaction: Connection): Promise<void> {
  await transaction.query(sql.prepared('share_legal_holds', nothing)`
    SELECT FROM pg_advisory_xact_lock_shared(hashtextextended('legal-holds', 0))
  `);
}

/**
 * Makes a hold; one that is there already stays as it is. Once the transaction has committed, nothing under the hold goes
 * any more. Call it in a transaction.
 * @returns null when it is there already
 */
export async function addLegalHold(
  transaction: Connection,
  subject: HoldSubject,
  reason: string,
): Promise<LegalHold | null> {
  await transaction.query(sql.prepared('lock_legal_holds', nothing)`
    SELECT FROM pg_advisory_xact_lock(hashtextextended('legal-holds', 0))
  `);
  const { customerId, repository, issueNumber } = subject;
  return transaction.maybeOne(sql.prepared('add_legal_hold', hold)`
    WITH h AS (
      INSERT INTO legal_holds (customer_id, forge_type, namespace, name, issue_number, reason)
      VALUES (
        ${customerId}, ${repository?.forge ?? null}, ${repository?.namespace ?? null}, ${repository?.name ?? null},
        ${issueNumber ?? null}, ${reason}
      )
      ON CONFLICT DO NOTHING
      RETURNING *
    )
    SELECT ${columns} FROM h JOIN customers c ON c.id = h.customer_id
  `);
}

/** Releases a hold: what it held goes with the next round. @returns null when the customer has no such hold */
export function removeLegalHold(
  connection: Connection,
  customerId: string,
  id: string,
): Promise<LegalHold | null> {
  return connection.maybeOne(sql.prepared('remove_legal_hold', hold)`
    WITH h AS (DELETE FROM legal_holds WHERE id = ${id} AND customer_id = ${customerId} RETURNING *)
    SELECT ${columns} FROM h JOIN customers c ON c.id = h.customer_id
  `);
}

/** The holds of a customer, or of all, the oldest first. */
export function listLegalHolds(connection: Connection, customerId?: string): Promise<readonly LegalHold[]> {
  const [name, whose]: [string, FragmentSqlToken] =
    customerId === undefined
      ? ['of_all', sql.fragment`true`]
      : ['of_customer', sql.fragment`h.customer_id = ${customerId}`];
  return connection.any(sql.prepared(`list_legal_holds.${name}`, hold)`
    SELECT ${columns} FROM legal_holds h JOIN customers c ON c.id = h.customer_id
    WHERE ${whose} ORDER BY h.created_at, h.id
  `);
}

/** A hold that is upon an issue; {@link shareLegalHolds} must come before, where something is to be taken away. */
export function findHoldOfIssue(
  connection: Connection,
  { customerId, repository, issueNumber }: Required<HoldSubject>,
): Promise<LegalHold | null> {
  const { forge, namespace, name } = repository;
  return connection.maybeOne(sql.prepared('find_hold_of_issue', hold)`
    SELECT ${columns} FROM legal_holds h JOIN customers c ON c.id = h.customer_id
    WHERE h.customer_id = ${customerId}
      AND (h.name IS NULL OR (h.forge_type = ${forge} AND h.namespace = ${namespace} AND h.name = ${name}))
      AND (h.issue_number IS NULL OR h.issue_number = ${issueNumber}::bigint)
    ORDER BY h.created_at LIMIT 1
  `);
}
