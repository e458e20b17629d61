import type { FastifyRequest } from 'fastify';
import type { Connection, Database } from '../store/database.ts';
import { findPrincipal } from '../store/find-principal.ts';
import type { Scope } from '../store/principal.ts';
import type { Metrics } from '../telemetry/metrics.ts';
import { authorise } from './authorise.ts';
import { ANSWER_MS, inTime } from './in-time.ts';
import { callerOf } from './plugins/authentication.ts';
import type { ReadShare } from './read-share.ts';

export interface ReadDependencies {
  readonly database: Pick<Database, 'pool'>;
  readonly metrics: Pick<Metrics, 'store'>;
  readonly reads: Pick<ReadShare, 'begin'>;
}

/**
 * Authorises whoever asks, and reads as their customer when it is that one's turn.
 * @throws ProblemError 401, 403, or 503 when the database hangs, or the customer reads too much at once
 */
export async function readForCustomer<T>(
  request: Pick<FastifyRequest, 'caller'>,
  { database: { pool }, metrics, reads }: ReadDependencies,
  scope: Scope,
  read: (connection: Connection, customerId: string) => Promise<T>,
): Promise<T> {
  const caller = callerOf(request);
  const principal = await inTime(ANSWER_MS, findPrincipal(pool, caller));
  const customerId = authorise(principal, { caller, scope }, metrics);
  const turn = await reads.begin(customerId);
  const reading = async () => {
    try {
      return await read(pool, customerId);
    } finally {
      turn.end();
    }
  };
  return inTime(ANSWER_MS, reading());
}
