import type { FastifyRequest } from 'fastify';
import type { SessionTransition } from '../domain/session.ts';
import { decideSessionChange, METADATA_LIMIT_BYTES, type SessionChange } from '../domain/session-change.ts';
import { problemOf } from '../domain/spelled-fields.ts';
import type { Connection } from '../store/database.ts';
import { lockSession, updateSession } from '../store/session-moves.ts';
import type { Session } from '../store/session-row.ts';
import { found } from './agent-route.ts';
import { auditRequest } from './audit-request.ts';
import { fieldProblem, ProblemError } from './problem.ts';

export interface ChangedSession {
  readonly session: Session;
  /** The step that was taken, if any. */
  readonly transitions: readonly SessionTransition[];
}

/**
 * Changes a session of the customer as an agent asks, and audits it. What leaves it as it is writes nothing.
 * @throws ProblemError 404, 422 for a step that does not lead there, 400 for metadata beyond the limit
 */
export async function changeSession(
  request: Pick<FastifyRequest, 'caller' | 'traceId'>,
  transaction: Connection,
  {
    customerId,
    id,
    change,
  }: { readonly customerId: string; readonly id: string; readonly change: SessionChange },
): Promise<ChangedSession> {
  const session = found(await lockSession(transaction, customerId, id), 'session');
  const decision = decideSessionChange(session, change);
  if (decision.kind === 'forbidden') throw invalidTransition(session.status, change.status);
  if (decision.kind === 'too_large') throw metadataTooLarge();
  if (decision.kind === 'unchanged') return { session, transitions: [] };
  const changed = await updateSession(transaction, customerId, session, decision.to);
  const [from, to] = [session.status, changed.status];
  await auditRequest(request, transaction, {
    customerId,
    eventType: from === to ? 'session.updated' : `session.${to}`,
    role: changed.role,
    metadata: { sessionId: id, taskId: changed.taskId, from, to },
  });
  return { session: changed, transitions: from === to ? [] : [{ from, to }] };
}

/** The answer to metadata that a session has no room for. */
export function metadataTooLarge(): ProblemError {
  const sentence = `must not make the metadata of the session larger than ${METADATA_LIMIT_BYTES} bytes`;
  return fieldProblem([problemOf('metadata', sentence)]);
}

/** Clients look for the first two words. */
function invalidTransition(from: string, to: string | undefined): ProblemError {
  return new ProblemError('INVALID_TRANSITION', `Invalid transition from ${from} to ${to}`);
}
