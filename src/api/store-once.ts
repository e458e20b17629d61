import { createHash } from 'node:crypto';
import type { FastifyBaseLogger, FastifyRequest } from 'fastify';
import { canonicalJson } from '../domain/canonical-json.ts';
import { keyedRunId } from '../domain/keyed-run-id.ts';
import { slotOf } from '../domain/slot.ts';
import type { Connection } from '../store/database.ts';
import type { KeptAnswer } from '../store/idempotency.ts';
import {
  backdateIdempotencyKey,
  type Claim,
  type ClaimRequest,
  claimIdempotencyKey,
  releaseIdempotencyClaim,
  settleIdempotencyClaim,
} from '../store/idempotency-claims.ts';
import { type Answered, type GuardedRequest, guard } from './idempotency-guard.ts';
import { idempotencyScope } from './idempotency-scope.ts';
import { keptProblem } from './kept-problem.ts';
import { callerOf } from './plugins/authentication.ts';
import { writeProblem } from './replayable-answer.ts';
import { type LetIn, type UnplacedStore, unplacedOf } from './admit-run.ts';
import { DatabaseAwayError, type DatabaseGate } from './database-gate.ts';

/** A store that was let in, and the key that it came with. */
export interface KeyedStore {
  readonly key: string;
  readonly admitted: LetIn;
  readonly gate: DatabaseGate;
  /** RFC 3339: when it was stored elsewhere, if it was. */
  readonly storedAt?: string | undefined;
}

/** Longer than a store ever takes; a process that dies keeps its retry waiting for no longer. */
const LEASE_SECONDS = 15;
/** For a statement. A database that is out of reach says so at once; this is for one that hangs. */
const STATEMENT_MS = 3_000;

/**
 * Stores a result under an Idempotency-Key. Its effect is a PhaseRun, which cannot commit with the key's row, so the row comes
 * first, and with the key decides id and place of the run: whatever happens between the two, the next try ends in the same run.
 * @throws ProblemError 409 or 422, and whatever `store` throws that is not kept
 */
export async function storeOnce(
  request: FastifyRequest,
  { key, admitted, gate, storedAt }: KeyedStore,
  store: Store,
): Promise<Answered> {
  const { database, ...deps } = request.server.idempotency;
  const { customerId } = admitted;
  const caller = callerOf(request);
  const once = {
    scope: idempotencyScope(request, { customerId, caller, key }),
    fingerprint: fingerprintOf(admitted),
    ttlSeconds: deps.ttlSeconds,
  };
  const runId = keyedRunId({ customerId, key, fingerprint: once.fingerprint });
  if (storedAt !== undefined) {
    await gate.ask(STATEMENT_MS, () =>
      backdateIdempotencyKey(database.pool, once.scope, { ...once, storedAt }),
    );
  }
  return guard(deps, once, async () => {
    if (admitted.admission === undefined) return storeUnplaced(store, { ...admitted, runId });
    const claims = createClaims(database.pool, gate, once, request.log);
    try {
      const claim = await claims.claim({ slot: slotOf(admitted.request), order: admitted.order, runId });
      if (claim.kind === 'kept') return { kind: 'replayed', answer: claim.answer };
      if (claim.kind !== 'claimed') return { kind: claim.kind === 'busy' ? 'in_flight' : 'reused' };
      const isRetry = claim.isStored || claim.order !== admitted.order;
      return await storeClaimed(claims, async () =>
        store({ ...admitted, runId, order: claim.order, isRetry }).catch((error: unknown) =>
          writeProblem(keptProblem(error), request.id),
        ),
      );
    } catch (error) {
      const isHistory = admitted.orderBelow !== undefined;
      if (isHistory || !(error instanceof DatabaseAwayError)) throw error;
      return storeUnplaced(store, unplacedOf({ ...admitted, runId }));
    }
  });
}

type Store = (admitted: LetIn) => Promise<KeptAnswer>;

/** Without the key's row. The run's id is the same for every try, during an outage and after it. */
async function storeUnplaced(store: Store, unplaced: UnplacedStore): Promise<Answered> {
  const answer = await store(unplaced);
  return { kind: 'executed', answer, kept: answer };
}

async function storeClaimed(claims: Claims, store: () => Promise<KeptAnswer>): Promise<Answered> {
  try {
    const answer = await store();
    await claims.settle(answer);
    return { kind: 'executed', answer, kept: answer };
  } catch (error) {
    await claims.release();
    throw error;
  }
}

interface Once extends GuardedRequest {
  readonly ttlSeconds: number;
}

type Claims = ReturnType<typeof createClaims>;

/** The key's row. What was stored stays stored, and is found again by its id, if what became of it cannot be noted. */
function createClaims(
  pool: Connection,
  gate: DatabaseGate,
  { scope, fingerprint, ttlSeconds }: Once,
  log: FastifyBaseLogger,
) {
  const note = (noting: () => Promise<void>) =>
    gate.ask(STATEMENT_MS, noting).catch((error: unknown) => {
      log.warn({ error }, 'what became of a store with an Idempotency-Key was not noted');
    });
  return {
    claim: (run: Pick<ClaimRequest, 'slot' | 'order' | 'runId'>): Promise<Claim> => {
      const wanted = { ...run, fingerprint, leaseSeconds: LEASE_SECONDS, ttlSeconds };
      return gate.ask(STATEMENT_MS, () => claimIdempotencyKey(pool, scope, wanted));
    },
    settle: (answer: KeptAnswer) => note(() => settleIdempotencyClaim(pool, scope, answer)),
    release: () => note(() => releaseIdempotencyClaim(pool, scope)),
  };
}

/** Of all that is stored; the payload by its digest. */
function fingerprintOf({ request, digest }: LetIn): string {
  const canonical = canonicalJson({ ...request, data: digest.sha256 });
  return createHash('sha256').update(canonical).digest('hex');
}
