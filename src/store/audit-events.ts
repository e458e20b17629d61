import { sql } from 'slonik';
import { z } from 'zod';
import type { JsonObject } from '../domain/run.ts';
import type { Connection } from './database.ts';
import {
  foundRows,
  type Page,
  type PageRequest,
  pageOf,
  positionOf,
  startOf,
  toPage,
  variantOf,
} from './page.ts';

/** Something that happened; holds no secret. */
export interface NewAuditEvent {
  /** Absent: it concerns the installation. */
  readonly customerId?: string;
  /** What happened to what: `session.created`. Cut at 100 characters. */
  readonly eventType: string;
  /** Of the agent that did it, where known. */
  readonly role?: string | null;
  readonly traceId?: string;
  readonly metadata: JsonObject;
}

const auditEvent = z.object({
  id: z.number(),
  eventType: z.string(),
  role: z.string().nullable(),
  timestamp: z.string(),
  traceId: z.string().nullable(),
  metadata: z.record(z.string(), z.unknown()),
});

export type AuditEvent = z.infer<typeof auditEvent>;

/** Notes what happened, in the transaction in which it does. */
export async function appendAuditEvent(connection: Connection, event: NewAuditEvent): Promise<number> {
  const { id } = await connection.one(sql.prepared('append_audit_event', z.object({ id: z.number() }))`
    INSERT INTO audit_events (customer_id, event_type, role, trace_id, metadata)
    VALUES (
      ${event.customerId ?? null}, left(${event.eventType}, 100), ${event.role ?? null}, ${event.traceId ?? null},
      ${JSON.stringify(event.metadata)}::jsonb
    )
    RETURNING id
  `);
  return id;
}

export interface AuditFilter {
  readonly traceId?: string;
  readonly eventType?: string;
  /** RFC 3339; none before it. */
  readonly since?: string;
}

const LAST_ID = '9223372036854775807';

/** The customer's events, the newest first. */
export async function listAuditEvents(
  connection: Connection,
  customerId: string,
  { traceId, eventType, since }: AuditFilter,
  page: PageRequest,
): Promise<Page<AuditEvent>> {
  const row = auditEvent.extend({ position: z.string(), found: z.number() });
  const variant = variantOf({ trace: traceId, type: eventType });
  const time = sql.fragment`timestamp`;
  const newest = sql.fragment`
    SELECT * FROM audit_events
    WHERE customer_id = ${customerId}
      ${traceId === undefined ? sql.fragment`` : sql.fragment`AND trace_id = ${traceId}`}
      ${eventType === undefined ? sql.fragment`` : sql.fragment`AND event_type = ${eventType}`}
      AND timestamp >= ${since ?? '-infinity'}::timestamptz
      AND (timestamp, id) < (${startOf(page)}::timestamptz, ${page.after?.id ?? LAST_ID}::bigint)
    ORDER BY timestamp DESC, id DESC
    LIMIT ${page.limit + 1}`;
  const printed = sql.fragment`ARRAY[metadata::text]`;
  const rows = await connection.any(sql.prepared(`list_audit_events.${variant}`, row)`
    WITH RECURSIVE ${pageOf(page, { newest, time, printed })}
    SELECT id, event_type AS "eventType", role, timestamp, trace_id AS "traceId", printed[1]::json AS metadata,
      ${positionOf(time)} AS position, ${foundRows} AS found
    FROM page
    ORDER BY number
  `);
  return toPage(rows, page);
}
