import { createHash } from 'node:crypto';
import type { FastifyRequest } from 'fastify';
import { canonicalJson } from '../domain/canonical-json.ts';
import type { IdempotencyScope } from '../store/idempotency.ts';
import { actorOf, type Caller } from '../store/principal.ts';

/** A request, as far as it decides whether another is the same. */
type SentRequest = Pick<FastifyRequest, 'method' | 'params' | 'query' | 'sentBody'> & {
  readonly routeOptions: Pick<FastifyRequest['routeOptions'], 'url'>;
};

/** Where a key counts: for this caller, at this method and path, however the path was spelled. */
export function idempotencyScope(
  { method, routeOptions, params }: SentRequest,
  { customerId, caller, key }: { readonly customerId: string; readonly caller: Caller; readonly key: string },
): IdempotencyScope {
  return { customerId, sha256: sha256Of([actorOf(caller), method, routeOptions.url, params, key]) };
}

/** What tells a retry from another request under the same key: method, path, query and body, in canonical JSON. */
export function fingerprintOf({ method, routeOptions, params, query, sentBody }: SentRequest): string {
  return sha256Of([method, routeOptions.url, params, query, sentBody ?? null]);
}

function sha256Of(value: readonly unknown[]): string {
  return createHash('sha256').update(canonicalJson(value)).digest('hex');
}
