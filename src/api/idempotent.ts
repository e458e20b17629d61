import type { FastifyReply, FastifyRequest } from 'fastify';
import type { Connection } from '../store/database.ts';
import { findPrincipal } from '../store/find-principal.ts';
import type { Scope } from '../store/principal.ts';
import { authorise } from './authorise.ts';
import { guard } from './idempotency-guard.ts';
import { idempotencyKeyOf, type KeyRule } from './idempotency-key.ts';
import { fingerprintOf, idempotencyScope } from './idempotency-scope.ts';
import { inTransaction, runEffectOnce } from './idempotent-effect.ts';
import { ANSWER_MS, inTime } from './in-time.ts';
import { callerOf } from './plugins/authentication.ts';
import { toProblemError } from './plugins/problem.ts';
import type { ProblemCode } from './problem.ts';
import { type Answer, replayAnswer, sendAnswer, writeBoth } from './replayable-answer.ts';

export type { Answer } from './replayable-answer.ts';

/**
 * What a request changes, and its answer. All of it happens in the transaction, of which nothing remains when it throws;
 * it may be run again from the start.
 */
export type Effect = (transaction: Connection, customerId: string) => Promise<Answer>;

export interface IdempotentOptions {
  /** What the caller needs. */
  readonly scope: Scope;
  /** `uuid`: the route requires a key. */
  readonly key?: KeyRule;
}

/** Goes into the options of a route that is run idempotently: what its schema refuses is kept like any other refusal. */
export const IDEMPOTENT_ROUTE = { attachValidation: true } as const;

/** What a route that is run idempotently may answer besides what its effect throws. */
export const IDEMPOTENCY_PROBLEMS = [
  'VALIDATION_FAILED',
  'IDEMPOTENCY_IN_FLIGHT',
  'IDEMPOTENCY_KEY_REUSED',
  'DATABASE_UNAVAILABLE',
] as const satisfies readonly ProblemCode[];

/**
 * Authenticates, runs the effect and answers. Under an Idempotency-Key the effect happens once: the key's row commits
 * with it, and whoever sends the same again gets the same answer, but for what is shown once. Refusals that stay the same (4xx but for 401, 403 and
 * 429) are kept as well; what failed for the moment may be tried again.
 * @throws ProblemError or DatabaseError, for the error handler
 */
export async function runIdempotently(
  request: FastifyRequest,
  reply: FastifyReply,
  { scope: demanded, key: rule = 'optional' }: IdempotentOptions,
  effect: Effect,
): Promise<void> {
  const { database, enabled, ...deps } = request.server.idempotency;
  const { pool } = database;
  const key = idempotencyKeyOf(request.headers, rule);
  const caller = callerOf(request);
  const principal = await inTime(ANSWER_MS, findPrincipal(pool, caller));
  const customerId = authorise(principal, { caller, scope: demanded }, deps.metrics);
  const perform = async (transaction: Connection) => {
    refuseInvalid(request);
    return writeBoth(reply, await effect(transaction, customerId));
  };
  if (key === undefined || !enabled) {
    const { sent } = await inTime(ANSWER_MS, inTransaction(pool, perform));
    await sendAnswer(reply, sent);
    return;
  }
  const guarded = {
    scope: idempotencyScope(request, { customerId, caller, key }),
    fingerprint: fingerprintOf(request),
  };
  const once = { ...guarded, ttlSeconds: deps.ttlSeconds, requestId: request.id };
  const outcome = await guard(deps, guarded, () => inTime(ANSWER_MS, runEffectOnce(pool, once, perform)));
  await (outcome.kind === 'replayed' ? replayAnswer : sendAnswer)(reply, outcome.answer);
}

/** @throws ProblemError for what the route's schema refuses */
function refuseInvalid(request: FastifyRequest): void {
  if (request.validationError !== undefined) throw toProblemError(request.validationError, request);
}
