import type { Connection } from '../store/database.ts';
import { toDatabaseError } from '../store/errors.ts';
import { findIdempotencyRecord, putIdempotencyRecord, tryLockIdempotencyKey } from '../store/idempotency.ts';
import type { GuardedRequest, Outcome } from './idempotency-guard.ts';
import { keptProblem, problemBehind } from './kept-problem.ts';
import { type WrittenAnswer, writeProblem } from './replayable-answer.ts';

export interface EffectOptions extends GuardedRequest {
  /** How long the answer is kept. */
  readonly ttlSeconds: number;
  /** Stands in the answer to a request that is refused. */
  readonly requestId: string;
}

/**
 * Runs an effect and keeps its answer, in one transaction: both happen or neither does. A refusal that stays the same is an
 * answer too; what the effect did until then is rolled back, and the refusal kept.
 * @throws ProblemError or DatabaseError for what is not kept
 */
export function runEffectOnce(
  pool: Connection,
  { scope, fingerprint, ttlSeconds, requestId }: EffectOptions,
  effect: (transaction: Connection) => Promise<WrittenAnswer>,
): Promise<Outcome> {
  return inTransaction(pool, async (transaction): Promise<Outcome> => {
    if (!(await tryLockIdempotencyKey(transaction, scope))) return { kind: 'in_flight' };
    // A statement of its own: it sees what was committed before the lock was had.
    const found = await findIdempotencyRecord(transaction, scope);
    if (found !== null) {
      return found.fingerprint === fingerprint
        ? { kind: 'replayed', answer: found.answer }
        : { kind: 'reused' };
    }
    const { sent, kept } = await transaction.transaction(effect).catch((error: unknown) => {
      const refusal = writeProblem(keptProblem(problemBehind(error) ?? toDatabaseError(error)), requestId);
      return { sent: refusal, kept: refusal };
    });
    await putIdempotencyRecord(transaction, scope, { fingerprint, answer: kept, ttlSeconds });
    return { kind: 'executed', answer: sent, kept };
  });
}

/** Runs a body in a transaction; a ProblemError that it throws arrives as such. */
export async function inTransaction<Result>(
  pool: Connection,
  body: (transaction: Connection) => Promise<Result>,
): Promise<Result> {
  try {
    return await pool.transaction(body);
  } catch (error) {
    throw problemBehind(error) ?? error;
  }
}
