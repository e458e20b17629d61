import { randomUUID } from 'node:crypto';
import { z } from 'zod';
import type { Cache } from '../cache/cache.ts';
import { type IdempotencyScope, type KeptAnswer, keptAnswer } from '../store/idempotency.ts';
import type { Metrics } from '../telemetry/metrics.ts';
import { ProblemError } from './problem.ts';

/** What became of a request with a key: by the rows of Postgres, or by the copy of them in Redis. */
export type Outcome =
  | Answered
  /** `in_flight`: another request with this key is under way. `reused`: the key belongs to another request. */
  | { readonly kind: 'in_flight' | 'reused' };

export type Answered =
  | {
      readonly kind: 'executed';
      readonly answer: KeptAnswer;
      /** The answer without what is shown once. */
      readonly kept: KeptAnswer;
    }
  | { readonly kind: 'replayed'; readonly answer: KeptAnswer };

export interface GuardDependencies {
  readonly cache: Cache;
  readonly metrics: Pick<Metrics, 'limits'>;
  /** How long an answer is kept. */
  readonly ttlSeconds: number;
}

export interface GuardedRequest {
  readonly scope: IdempotencyScope;
  /** Hex SHA-256 of the request. */
  readonly fingerprint: string;
}

/** A process that dies leaves its claim in Redis for no longer than this. */
const CLAIM_MS = 5_000;

/** When a client is to ask again for what is under way. */
const RETRY_AFTER_SECONDS = 1;

/**
 * Runs a request with a key once. Redis stands in front of what decides: whoever comes while the request is under way, or after
 * it was answered, is told without asking Postgres. What Redis does not know or cannot say, Postgres decides.
 * @throws ProblemError 409 while the request is under way, 422 when the key belongs to another
 */
export async function guard(
  { cache, metrics, ttlSeconds }: GuardDependencies,
  request: GuardedRequest,
  decide: () => Promise<Outcome>,
): Promise<Answered> {
  const outcome = await decideOnce(cache, request, ttlSeconds, decide);
  metrics.limits.idempotency.inc({ outcome: outcome.kind });
  if (!('answer' in outcome)) throw outcome.kind === 'in_flight' ? inFlight() : reused();
  return outcome;
}

async function decideOnce(
  cache: Cache,
  { scope, fingerprint }: GuardedRequest,
  ttlSeconds: number,
  decide: () => Promise<Outcome>,
): Promise<Outcome> {
  const key = `idempotency:${scope.customerId}:${scope.sha256}`;
  const owner = randomUUID();
  const claim = await cache.claim(key, owner, CLAIM_MS);
  if (claim.kind === 'busy') return { kind: 'in_flight' };
  const copy = claim.kind === 'kept' ? readCopy(claim.value) : undefined;
  if (copy !== undefined) {
    return copy.fingerprint === fingerprint ? { kind: 'replayed', answer: copy.answer } : { kind: 'reused' };
  }
  let outcome: Outcome | undefined;
  try {
    outcome = await decide();
    return outcome;
  } finally {
    // The next one who asks has to find it, or nothing.
    if (outcome?.kind === 'executed') {
      await cache.keep(key, JSON.stringify({ fingerprint, answer: outcome.kept }), 1000 * ttlSeconds);
    } else {
      await cache.release(key, owner);
    }
  }
}

const copySchema = z.object({ fingerprint: z.string(), answer: keptAnswer });

/** Undefined for what an older or newer version of the program may have written. */
function readCopy(text: string): z.infer<typeof copySchema> | undefined {
  try {
    return copySchema.safeParse(JSON.parse(text)).data;
  } catch {
    return undefined;
  }
}

function inFlight(): ProblemError {
  return new ProblemError(
    'IDEMPOTENCY_IN_FLIGHT',
    'A request with this Idempotency-Key is under way; ask again for its answer',
    { headers: { 'retry-after': String(RETRY_AFTER_SECONDS) } },
  );
}

function reused(): ProblemError {
  return new ProblemError(
    'IDEMPOTENCY_KEY_REUSED',
    'This Idempotency-Key was used for another request; use a new key for each',
  );
}
