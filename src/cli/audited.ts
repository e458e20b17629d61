import { hostname, userInfo } from 'node:os';
import type { JsonObject } from '../domain/run.ts';
import { appendAuditEvent } from '../store/audit-events.ts';
import type { Connection } from '../store/database.ts';

export interface AdminEvent {
  /** Absent: it concerns the installation. */
  readonly customerId?: string;
  /** What happened to what: `customer.created`. */
  readonly eventType: string;
  readonly metadata: JsonObject;
}

/** Notes what somebody did at a command line, and who that is as far as this machine knows. */
export async function appendAdminEvent(connection: Connection, event: AdminEvent): Promise<void> {
  const metadata = { ...event.metadata, actor: `cli:${userName()}@${hostname()}` };
  await appendAuditEvent(connection, { ...event, metadata });
}

/**
 * Changes something and notes it, in one transaction.
 * @param describe what is noted; undefined: nothing was changed
 * @throws DatabaseError whose cause is what the change threw
 */
export function changeAudited<T>(
  connection: Connection,
  change: (transaction: Connection) => Promise<T>,
  describe: (changed: T) => AdminEvent | undefined,
): Promise<T> {
  return connection.transaction(async (transaction) => {
    const changed = await change(transaction);
    const event = describe(changed);
    if (event !== undefined) await appendAdminEvent(transaction, event);
    return changed;
  });
}

/** A container's user may have no name. */
function userName(): string {
  try {
    return userInfo().username;
  } catch {
    return `uid ${process.getuid?.() ?? 'unknown'}`;
  }
}
