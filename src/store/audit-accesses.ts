import { sql } from 'slonik';
import { z } from 'zod';
import { namespacePrefixes } from '../domain/repository-name.ts';
import type { AccessEvent } from '../telemetry/families/audit.ts';
import type { Connection } from './database.ts';
import { actorOf, type Caller, ownerOfAny } from './principal.ts';

/** Requests that were alike, as the audit notes them. */
export interface Access {
  readonly event: AccessEvent;
  /** Who it said it was; null: it did not say, or nothing that could be read. */
  readonly caller: Caller | null;
  readonly method: string;
  /** The route's pattern. */
  readonly route: string;
  /** The status, or the code of the problem. */
  readonly outcome: string;
  /** Why it was refused, which the caller is not told. */
  readonly reason?: string | undefined;
  /** What was asked for: path and query. */
  readonly target?: string | undefined;
  /** Where one of them came from. */
  readonly address: string;
  readonly count: number;
  /** RFC 3339. */
  readonly firstAt: string;
  readonly lastAt: string;
}

/**
 * Appends accesses to the audit of whoever they say they are, with one look at who that is. What says that it is nobody we
 * know is noted without what it said, and counted together: strangers cannot fill the table by thinking up names.
 */
export async function appendAccesses(connection: Connection, accesses: readonly Access[]): Promise<void> {
  await connection.query(sql.prepared('append_accesses', z.object({}))`
    WITH access AS (
      SELECT *, CASE
        WHEN "keyId" IS NOT NULL THEN (SELECT customer_id FROM api_keys WHERE id = "keyId")
        WHEN "customerId" IS NOT NULL THEN (SELECT id FROM customers WHERE id = "customerId")
        WHEN "customerName" IS NOT NULL THEN (SELECT id FROM customers WHERE name = "customerName")
        WHEN forge IS NOT NULL THEN ${ownerOfAny(sql.fragment`access.forge`, sql.fragment`access.prefixes`)}
      END AS customer_id
      FROM jsonb_to_recordset(${JSON.stringify(accesses.map(makeRow))}::jsonb) AS access (
        event text, "keyId" text, "customerId" uuid, "customerName" text, forge text, prefixes text[],
        actor text, method text, route text, outcome text, reason text, target text, address text,
        count bigint, "firstAt" timestamptz, "lastAt" timestamptz
      )
    ), known AS (
      SELECT *, CASE WHEN customer_id IS NOT NULL THEN actor END AS known_actor FROM access
    )
    INSERT INTO audit_events (customer_id, event_type, timestamp, metadata)
    SELECT customer_id, event, min("firstAt"), jsonb_strip_nulls(jsonb_build_object(
      'actor', known_actor, 'method', method, 'route', route, 'outcome', outcome, 'reason', reason, 'target', target,
      'address', min(address), 'count', sum(count), 'lastAt', max("lastAt")
    ))
    FROM known
    GROUP BY customer_id, event, known_actor, method, route, outcome, reason, target
    ORDER BY min("firstAt")
  `);
}

function makeRow({ caller, ...access }: Access) {
  return caller === null ? access : { ...access, actor: actorOf(caller), ...claimOf(caller) };
}

function claimOf(caller: Caller) {
  if (caller.kind === 'key') return { keyId: caller.keyId };
  if (caller.kind === 'repository') {
    const { forge, namespace } = caller.repository;
    return { forge, prefixes: namespacePrefixes(namespace) };
  }
  const isId = z.guid().safeParse(caller.customer).success;
  return isId ? { customerId: caller.customer } : { customerName: caller.customer };
}
