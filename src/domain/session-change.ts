import { isDeepStrictEqual } from 'node:util';
import type { JsonObject } from './run.ts';
import { canTransition, type SessionState } from './session.ts';
import { findUnstorable } from './unstorable.ts';

/** What an agent may say happened, and the state that a session is in afterwards. */
export const SESSION_EVENTS = { activate: 'active', complete: 'completed', fail: 'failed' } as const;
export type SessionEvent = keyof typeof SESSION_EVENTS;

/** Bytes of metadata, as JSON, that a session may hold in all. */
export const METADATA_LIMIT_BYTES = 65_536;

/** A session as far as an agent changes it. */
export interface ChangeableSession {
  readonly status: SessionState;
  readonly taskId: string | null;
  readonly metadata: JsonObject;
}

/** What an agent wants of a session; what is absent stays. */
export interface SessionChange {
  readonly status?: SessionState | undefined;
  readonly taskId?: string | undefined;
  /** Members to set; those of the session that are not named here stay. */
  readonly metadata?: JsonObject | undefined;
}

export type SessionChangeDecision =
  | { readonly kind: 'update'; readonly to: ChangeableSession }
  | { readonly kind: 'unchanged' }
  | { readonly kind: 'forbidden' }
  | { readonly kind: 'too_large' };

/** Decides what becomes of a session that is to change. A session that is as it is wanted is left alone. */
export function decideSessionChange(
  session: ChangeableSession,
  { status = session.status, taskId, metadata }: SessionChange,
): SessionChangeDecision {
  if (status !== session.status && !canTransition(session.status, status)) return { kind: 'forbidden' };
  const to = {
    status,
    taskId: taskId ?? session.taskId,
    metadata: { ...session.metadata, ...metadata },
  };
  if (metadata !== undefined && !fitsMetadata(to.metadata)) return { kind: 'too_large' };
  const { status: from, taskId: task, metadata: held } = session;
  return isDeepStrictEqual(to, { status: from, taskId: task, metadata: held })
    ? { kind: 'unchanged' }
    : { kind: 'update', to };
}

/** Whether a session may hold so much, also as Postgres writes its numbers. */
export function fitsMetadata(metadata: JsonObject): boolean {
  return (
    Buffer.byteLength(JSON.stringify(metadata)) <= METADATA_LIMIT_BYTES &&
    findUnstorable(metadata, 'metadata', METADATA_LIMIT_BYTES) === undefined
  );
}
