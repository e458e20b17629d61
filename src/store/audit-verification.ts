import { sql } from 'slonik';
import { z } from 'zod';
import { CHAIN_START, type ChainedEvent, type ChainLink, nextLink } from '../domain/audit-chain.ts';
import {
  type ChainOwner,
  chainedColumns,
  chainedEvent,
  chainKind,
  findChainHead,
  ownedBy,
} from './audit-chain.ts';
import type { Connection } from './database.ts';

/** What a chain was found to be. */
export interface AuditVerification {
  readonly customerId: ChainOwner;
  /** Events whose hashes were computed anew and found right. */
  readonly verified: number;
  /** Where what was verified ends: keep it elsewhere, and ask for it next time. */
  readonly head: ChainLink;
  /** The first thing that is wrong. */
  readonly broken?: AuditBreak;
}

export interface AuditBreak {
  /**
   * `changed`: this event, or its place, is not what was sealed. `removed`: there is no event in this place.
   * `inserted`: this event was not there when the others were sealed. `rewritten`: the events fit each other, and not
   * what was noted of the chain at this place (its end, a checkpoint, or what the caller kept elsewhere). `cut`: the
   * chain begins after what the caller kept; retention does that, and so can whoever writes to the database.
   */
  readonly kind: 'changed' | 'removed' | 'inserted' | 'rewritten' | 'cut';
  readonly sequence: number;
  /** Absent when there is none. */
  readonly eventId?: number;
}

/** Whose chains there are. */
export async function listAuditChains(connection: Connection): Promise<readonly ChainOwner[]> {
  const owner = z.object({ customerId: z.string().nullable() });
  const rows = await connection.any(sql.prepared('list_audit_chains', owner)`
    SELECT customer_id AS "customerId" FROM audit_chains
    UNION
    SELECT customer_id FROM audit_checkpoints
    UNION
    SELECT customer_id FROM audit_events WHERE chain_sequence IS NOT NULL
    ORDER BY 1
  `);
  return rows.map(({ customerId }) => customerId);
}

/**
 * Computes a chain anew, from where retention cut it to its end, as of one moment.
 * @param anchor what an earlier verification said was its end: the chain must still lead through there
 */
export function verifyAuditChain(
  connection: Connection,
  owner: ChainOwner,
  anchor?: ChainLink,
): Promise<AuditVerification> {
  return connection.transaction(async (transaction) => {
    await transaction.query(sql.prepared('read_as_of_now', z.object({}))`
      SET TRANSACTION ISOLATION LEVEL REPEATABLE READ
    `);
    const { start, notes } = await readNotes(transaction, owner, anchor);
    const walk = new Walk(start, notes);
    for (;;) {
      const events = await listSealed(transaction, owner, walk.head.sequence);
      const found = walk.advance(events);
      if (found === undefined && events.length > 0) continue;
      const broken = found ?? walk.finish() ?? judgeAnchor(start, anchor);
      const verified = walk.head.sequence - start.sequence;
      return { customerId: owner, verified, head: walk.head, ...(broken && { broken }) };
    }
  });
}

/** What is wrong with an anchor that the walk does not come to, since the chain begins there or after it. */
function judgeAnchor(start: ChainLink, anchor: ChainLink | undefined): AuditBreak | undefined {
  if (anchor === undefined || anchor.sequence > start.sequence) return undefined;
  const { sequence, hash } = anchor;
  if (sequence < start.sequence) return { kind: 'cut', sequence };
  return hash === start.hash ? undefined : { kind: 'rewritten', sequence };
}

/** Follows a chain from event to event. */
class Walk {
  head: ChainLink;
  readonly #notes: ReadonlyMap<number, readonly ChainLink[]>;
  /** The greatest place that was noted: there the chain ends. */
  readonly #end: number;
  /** The event at the head, and the link before it. */
  #last: { readonly event: SealedEvent; readonly before: ChainLink } | undefined;

  constructor(start: ChainLink, notes: readonly ChainLink[]) {
    this.head = start;
    this.#notes = Map.groupBy(notes, ({ sequence }) => sequence);
    this.#end = Math.max(start.sequence, ...this.#notes.keys());
  }

  /** Takes the next events; answers the first thing that is wrong with them. */
  advance(events: readonly SealedEvent[]): AuditBreak | undefined {
    for (const [index, event] of events.entries()) {
      const broken = this.#examine(event, events[index + 1]);
      if (broken !== undefined) return broken;
      this.#last = { event, before: this.head };
      this.head = { sequence: event.sequence, hash: event.hash };
    }
    return undefined;
  }

  /** What is wrong with the end, once there are no more events. */
  finish(): AuditBreak | undefined {
    return this.#end > this.head.sequence ? { kind: 'removed', sequence: this.head.sequence + 1 } : undefined;
  }

  #examine(event: SealedEvent, following: SealedEvent | undefined): AuditBreak | undefined {
    const { sequence, id: eventId, hash } = event;
    const place = this.head.sequence + 1;
    if (sequence > this.#end) return { kind: 'inserted', sequence, eventId };
    if (sequence !== place) return { kind: 'removed', sequence: place };
    if (!fits(this.head, event)) return this.#judge(event, following);
    const isAsNoted = this.#notes.get(sequence)?.every((note) => note.hash === hash) ?? true;
    return isAsNoted ? undefined : { kind: 'rewritten', sequence, eventId };
  }

  /** An event does not fit. It was inserted if the one after fits without it; so was the one before, likewise. */
  #judge(event: SealedEvent, following: SealedEvent | undefined): AuditBreak {
    const { sequence, id: eventId } = event;
    if (this.#last !== undefined && fits(this.#last.before, event))
      return { kind: 'inserted', sequence: sequence - 1, eventId: this.#last.event.id };
    const isInserted = following !== undefined && fits(this.head, following);
    return { kind: isInserted ? 'inserted' : 'changed', sequence, eventId };
  }
}

function fits(previous: ChainLink, { sequence: _, hash, ...event }: SealedEvent): boolean {
  return nextLink(previous, event).hash === hash;
}

interface SealedEvent extends ChainedEvent, ChainLink {}

const PAGE_SIZE = 500;

function listSealed(
  connection: Connection,
  owner: ChainOwner,
  after: number,
): Promise<readonly SealedEvent[]> {
  const sealed = chainedEvent.extend({ sequence: z.number(), hash: z.string() });
  return connection.any(sql.prepared(`list_sealed_events.${chainKind(owner)}`, sealed)`
    SELECT ${chainedColumns}, chain_sequence AS sequence, encode(chain_hash, 'hex') AS hash
    FROM audit_events WHERE ${ownedBy(owner)} AND chain_sequence > ${after}
    ORDER BY chain_sequence
    LIMIT ${PAGE_SIZE}
  `);
}

/** What was noted of a chain: where it now begins, and its hashes at some places. */
async function readNotes(connection: Connection, owner: ChainOwner, anchor: ChainLink | undefined) {
  const head = await findChainHead(connection, owner);
  const checkpoints = await listCheckpoints(connection, owner);
  const start = checkpoints.findLast(({ isCut }) => isCut) ?? CHAIN_START;
  const noted = [...checkpoints, head, anchor].filter((note) => note !== null && note !== undefined);
  return { start, notes: noted.filter(({ sequence }) => sequence > start.sequence) };
}

function listCheckpoints(connection: Connection, owner: ChainOwner) {
  const checkpoint = z.object({ sequence: z.number(), hash: z.string(), isCut: z.boolean() });
  return connection.any(sql.prepared(`list_audit_checkpoints.${chainKind(owner)}`, checkpoint)`
    SELECT sequence, encode(hash, 'hex') AS hash, cut_at IS NOT NULL AS "isCut"
    FROM audit_checkpoints WHERE ${ownedBy(owner)} ORDER BY sequence
  `);
}
