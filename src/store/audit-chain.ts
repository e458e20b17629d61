import { type FragmentSqlToken, sql } from 'slonik';
import { z } from 'zod';
import { CHAIN_START, type ChainedEvent, type ChainLink, nextLink } from '../domain/audit-chain.ts';
import type { Connection } from './database.ts';

/** Whose chain: null is that of what nobody known did. */
export type ChainOwner = string | null;

const nothing = z.object({});
const link = z.object({ sequence: z.number(), hash: z.string() });

/** What most metadata of a batch may come to, so that a batch of large ones does not fill the memory. */
const BATCH_BYTES = 8 * 1024 * 1024;

/** Whose events wait to be sealed; it goes from one to the next, however many events each has. */
export async function listUnsealedChains(connection: Connection): Promise<readonly ChainOwner[]> {
  const owner = z.object({ customerId: z.string().nullable() });
  const rows = await connection.any(sql.prepared('list_unsealed_chains', owner)`
    WITH RECURSIVE chain AS (
      (
        SELECT customer_id FROM audit_events WHERE chain_sequence IS NULL AND customer_id IS NOT NULL
        ORDER BY customer_id LIMIT 1
      )
      UNION ALL
      SELECT (
        SELECT customer_id FROM audit_events WHERE chain_sequence IS NULL AND customer_id > chain.customer_id
        ORDER BY customer_id LIMIT 1
      )
      FROM chain WHERE chain.customer_id IS NOT NULL
    )
    SELECT customer_id AS "customerId" FROM chain WHERE customer_id IS NOT NULL
    UNION ALL
    SELECT NULL WHERE EXISTS (SELECT FROM audit_events WHERE chain_sequence IS NULL AND customer_id IS NULL)
  `);
  return rows.map(({ customerId }) => customerId);
}

/**
 * Seals the oldest of a customer's events that are not sealed yet: appends them to its chain. An event that commits later
 * than others with greater ids is sealed after them, once: that it has no place yet is what it is found by. Of two who
 * seal at once, one does nothing.
 * @returns how many; as many as `limit`, or more than none, means that there may be more
 * @throws DatabaseError also when somebody has meddled with the end of the chain, so that nothing can follow it
 */
export function sealAuditEvents(connection: Connection, owner: ChainOwner, limit: number): Promise<number> {
  return connection.transaction(async (transaction) => {
    if (!(await tryLockChain(transaction, owner))) return 0;
    const head = await findChainHead(transaction, owner);
    const events = await listUnsealed(transaction, owner, limit);
    const links = chain(head ?? CHAIN_START, events);
    const last = links.at(-1);
    if (last === undefined) return 0;
    await putLinks(transaction, events, links);
    await putChainHead(transaction, owner, last);
    return links.length;
  });
}

function chain(head: ChainLink, events: readonly ChainedEvent[]): readonly ChainLink[] {
  let previous = head;
  return events.map((event) => {
    previous = nextLink(previous, event);
    return previous;
  });
}

async function tryLockChain(connection: Connection, owner: ChainOwner): Promise<boolean> {
  const locked = z.object({ locked: z.boolean() });
  const row = await connection.one(sql.prepared('try_lock_audit_chain', locked)`
    SELECT pg_try_advisory_xact_lock(hashtextextended(${`audit-chain/${owner ?? ''}`}, 0)) AS locked
  `);
  return row.locked;
}

/** Where a chain ends; null before its first event. */
export function findChainHead(connection: Connection, owner: ChainOwner): Promise<ChainLink | null> {
  return connection.maybeOne(sql.prepared(`find_audit_chain_head.${chainKind(owner)}`, link)`
    SELECT sequence, encode(hash, 'hex') AS hash FROM audit_chains WHERE ${ownedBy(owner)}
  `);
}

function listUnsealed(
  connection: Connection,
  owner: ChainOwner,
  limit: number,
): Promise<readonly ChainedEvent[]> {
  return connection.any(sql.prepared(`list_unsealed_events.${chainKind(owner)}`, chainedEvent)`
    SELECT ${chainedColumns}
    FROM (
      SELECT *, sum(octet_length(metadata::text)) OVER (ORDER BY id) - octet_length(metadata::text) AS bytes_before
      FROM (
        SELECT * FROM audit_events WHERE ${ownedBy(owner)} AND chain_sequence IS NULL ORDER BY id LIMIT ${limit}
      ) AS oldest
    ) AS audit_events
    WHERE bytes_before < ${BATCH_BYTES}
    ORDER BY id
  `);
}

/** An event as it goes into the chain. */
export const chainedEvent = z.object({
  id: z.number(),
  customerId: z.string().nullable(),
  eventType: z.string(),
  role: z.string().nullable(),
  timestamp: z.string(),
  traceId: z.string().nullable(),
  metadata: z.string(),
}) satisfies z.ZodType<ChainedEvent>;

export const chainedColumns = sql.fragment`
  id, customer_id AS "customerId", event_type AS "eventType", role,
  to_char(timestamp AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') AS timestamp,
  trace_id AS "traceId", metadata::text AS metadata`;

async function putLinks(
  connection: Connection,
  events: readonly ChainedEvent[],
  links: readonly ChainLink[],
): Promise<void> {
  const ids = events.map(({ id }) => id);
  const sequences = links.map(({ sequence }) => sequence);
  const hashes = links.map(({ hash }) => hash);
  await connection.query(sql.prepared('seal_audit_events', nothing)`
    UPDATE audit_events SET chain_sequence = link.sequence, chain_hash = decode(link.hash, 'hex')
    FROM unnest(
      ${sql.array(ids, 'int8')}, ${sql.array(sequences, 'int8')}, ${sql.array(hashes, 'text')}
    ) AS link (id, sequence, hash)
    WHERE audit_events.id = link.id
  `);
}

/** Moves the end of a chain; the first time in a day it makes a checkpoint of it as well. */
async function putChainHead(connection: Connection, owner: ChainOwner, head: ChainLink): Promise<void> {
  await connection.query(sql.prepared('put_audit_chain_head', nothing)`
    WITH head AS (
      INSERT INTO audit_chains (customer_id, sequence, hash)
      VALUES (${owner}::uuid, ${head.sequence}, decode(${head.hash}, 'hex'))
      ON CONFLICT (customer_id) DO UPDATE SET
        sequence = excluded.sequence,
        hash = excluded.hash,
        checkpoint_at = CASE
          WHEN audit_chains.checkpoint_at < now() - interval '1 day' THEN now() ELSE audit_chains.checkpoint_at
        END
      RETURNING customer_id, sequence, hash, checkpoint_at
    )
    INSERT INTO audit_checkpoints (customer_id, sequence, hash)
    SELECT customer_id, sequence, hash FROM head WHERE checkpoint_at = now()
  `);
}

/** Names the text of {@link ownedBy}. */
export function chainKind(owner: ChainOwner): 'of_customer' | 'of_nobody' {
  return owner === null ? 'of_nobody' : 'of_customer';
}

/** Equality that an index serves. */
export function ownedBy(owner: ChainOwner): FragmentSqlToken {
  return owner === null ? sql.fragment`customer_id IS NULL` : sql.fragment`customer_id = ${owner}`;
}
