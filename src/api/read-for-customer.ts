import type { FastifyRequest } from 'fastify';
import type { Connection, Database } from '../store/database.ts';
import { findPrincipal } from '../store/find-principal.ts';
import type { Scope } from '../store/principal.ts';
import type { Metrics } from '../telemetry/metrics.ts';
import { authorise } from './authorise.ts';
import { inTime } from './in-time.ts';
import { callerOf } from './plugins/authentication.ts';

export interface ReadDependencies {
  readonly database: Pick<Database, 'pool'>;
  readonly metrics: Pick<Metrics, 'store'>;
}

/** For all that one request reads. */
const READ_MS = 10_000;

/**
 * Authorises whoever asks, and reads as their customer.
 * @throws ProblemError 401, 403, or 503 when the database hangs
 */
export function readForCustomer<T>(
  request: Pick<FastifyRequest, 'caller'>,
  { database: { pool }, metrics }: ReadDependencies,
  scope: Scope,
  read: (connection: Connection, customerId: string) => Promise<T>,
): Promise<T> {
  const caller = callerOf(request);
  const reading = findPrincipal(pool, caller).then((principal) =>
    read(pool, authorise(principal, { caller, scope }, metrics)),
  );
  return inTime(READ_MS, reading);
}
