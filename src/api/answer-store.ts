import type { FastifyReply, FastifyRequest } from 'fastify';
import type { ParsedStoreRequest, StoreRequest } from '../domain/store-request.ts';
import type { Durability } from '../telemetry/families/store.ts';
import type { Metrics } from '../telemetry/metrics.ts';
import { admitRun, type LetIn } from './admit-run.ts';
import { CREDENTIAL_PROBLEMS } from './credential-problems.ts';
import { idempotencyKeyOf } from './idempotency-key.ts';
import type { StoreAnswer } from './phase-schemas.ts';
import { callerOf } from './plugins/authentication.ts';
import { fieldProblem, type ProblemCode } from './problem.ts';
import { replayAnswer, sendAnswer, writeAnswer } from './replayable-answer.ts';
import { storeOnce } from './store-once.ts';
import { type StoreDependencies, storeOrKeep } from './store-or-keep.ts';
import type { StoredRun } from './store-settle.ts';
import { storedAtOf } from './stored-at.ts';

/** What the routes that store differ in. */
export interface StoreRoute {
  readonly parse: (body: unknown) => ParsedStoreRequest;
  /** The status of a result that is a row. */
  readonly persistedStatus: 200 | 201;
}

/** A result with files of a repository in it is large. */
export const STORE_BODY_LIMIT_BYTES = 10 * 1024 * 1024;

/** What can become of a store but success. */
export const STORE_PROBLEMS = [
  'BAD_REQUEST',
  'MALFORMED_JSON',
  'VALIDATION_FAILED',
  ...CREDENTIAL_PROBLEMS,
  'FORGE_ACCOUNT_NOT_VERIFIED',
  'NAMESPACE_FORBIDDEN',
  'IDEMPOTENCY_IN_FLIGHT',
  'RUN_CONFLICT',
  'PAYLOAD_TOO_LARGE',
  'UNSUPPORTED_MEDIA_TYPE',
  'IDEMPOTENCY_KEY_REUSED',
  'RUN_NOT_FOUND',
  'RUN_REJECTED',
  'RUN_QUARANTINED',
  'DATABASE_UNAVAILABLE',
  'BACKLOG_FULL',
  'KUBERNETES_UNAVAILABLE',
] as const satisfies readonly ProblemCode[];

/**
 * Stores what the body of a request holds, once for each Idempotency-Key, and answers: 202 while it is durable but not yet
 * a row.
 */
export async function answerStore(
  deps: StoreDependencies,
  request: FastifyRequest,
  reply: FastifyReply,
  { parse, persistedStatus }: StoreRoute,
): Promise<FastifyReply> {
  const stored = readBody(request.body, parse, deps.metrics);
  const { traceparent, headers } = request;
  const key = idempotencyKeyOf(headers, 'optional');
  const call = { request: stored, caller: callerOf(request), traceparent, storedAt: storedAtOf(headers) };
  const admitted = await admitRun(deps, call);
  const store = async (admittedStore: LetIn) => {
    const run = await storeOrKeep(deps, admittedStore);
    deps.metrics.store.acknowledged.inc({ durability: durabilityOf(run) });
    const status = run.persisted ? persistedStatus : 202;
    return writeAnswer(reply, { status, body: makeAnswer(stored, run) });
  };
  if (key === undefined || !request.server.idempotency.enabled) {
    return sendAnswer(reply, await store(admitted));
  }
  const { storedAt } = call;
  const keyed = { key, admitted, gate: deps.outage.gate, storedAt };
  const { kind, answer } = await storeOnce(request, keyed, store);
  return kind === 'replayed' ? replayAnswer(reply, answer) : sendAnswer(reply, answer);
}

function readBody(
  body: unknown,
  parse: StoreRoute['parse'],
  { store }: Pick<Metrics, 'store'>,
): StoreRequest {
  const startedAt = performance.now();
  const parsed = parse(body);
  store.stage.observe({ stage: 'normalise' }, (performance.now() - startedAt) / 1000);
  if (!parsed.ok) throw fieldProblem(parsed.errors);
  return parsed.value;
}

function durabilityOf({ persisted, phaseRun }: StoredRun): Durability {
  if (persisted) return 'row';
  return phaseRun === undefined ? 'inbox' : 'object';
}

function makeAnswer({ phase }: StoreRequest, { id, persisted, phaseRun, session }: StoredRun): StoreAnswer {
  return {
    success: true,
    id,
    phase,
    persisted,
    ...(phaseRun && { phaseRun }),
    ...(session && { sessionId: session.id, sessionState: session.state }),
  };
}
