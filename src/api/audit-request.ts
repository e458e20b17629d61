import type { FastifyRequest } from 'fastify';
import { appendAuditEvent, type NewAuditEvent } from '../store/audit-events.ts';
import type { Connection } from '../store/database.ts';
import { actorOf } from '../store/principal.ts';
import { callerOf } from './plugins/authentication.ts';

/**
 * Notes what a request does, in the transaction in which it does, with its trace and whoever sent it.
 * @returns id of the event
 */
export function auditRequest(
  request: Pick<FastifyRequest, 'caller' | 'traceId'>,
  transaction: Connection,
  event: NewAuditEvent & { readonly customerId: string },
): Promise<number> {
  const metadata = { ...event.metadata, actor: actorOf(callerOf(request)) };
  return appendAuditEvent(transaction, { traceId: request.traceId, ...event, metadata });
}
