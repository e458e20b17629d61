import type { FastifyInstance } from 'fastify';
import { parseStoreRequest, type StoreRequest } from '../../domain/store-request.ts';
import type { Metrics } from '../../telemetry/metrics.ts';
import { CREDENTIAL_PROBLEMS } from '../credential-problems.ts';
import { documentOnly } from '../document-only.ts';
import {
  type StoreAnswer,
  storeAnswerSchema,
  storeBodySchema,
  storeHeadersSchema,
} from '../phase-schemas.ts';
import { callerOf } from '../plugins/authentication.ts';
import { fieldProblem } from '../problem.ts';
import { problemResponses } from '../problem-responses.ts';
import { type StoreRunDependencies, storeRun } from '../store-run.ts';
import type { StoredRun } from '../store-settle.ts';
import { storedAtOf } from '../stored-at.ts';

const BODY_LIMIT_BYTES = 10 * 1024 * 1024;

/** `POST /api/v1/phases/store`: keeps a result. A 2xx means that it is durable; 200, that `retrieve` sees it. */
export function registerStore(app: FastifyInstance, deps: StoreRunDependencies): void {
  app.post(
    '/api/v1/phases/store',
    {
      onRequest: app.authenticate,
      bodyLimit: BODY_LIMIT_BYTES,
      validatorCompiler: documentOnly,
      schema: {
        operationId: 'storePhaseResult',
        summary: 'Keep the result of a phase',
        description:
          'Snake case spellings are accepted too, unknown fields are ignored. The same result again answers the row that is there; another one is a new row, and the newest wins.',
        tags: ['phases'],
        security: [{ apiKey: [] }, { bearer: [] }],
        headers: storeHeadersSchema,
        body: storeBodySchema,
        response: {
          200: {
            description: 'The result is a row.',
            content: { 'application/json': { schema: storeAnswerSchema } },
          },
          202: {
            description: 'The result is durable as a PhaseRun and becomes a row soon.',
            content: { 'application/json': { schema: storeAnswerSchema } },
          },
          ...problemResponses(
            'BAD_REQUEST',
            'MALFORMED_JSON',
            'VALIDATION_FAILED',
            ...CREDENTIAL_PROBLEMS,
            'NAMESPACE_FORBIDDEN',
            'RUN_CONFLICT',
            'PAYLOAD_TOO_LARGE',
            'UNSUPPORTED_MEDIA_TYPE',
            'RUN_NOT_FOUND',
            'RUN_REJECTED',
            'RUN_QUARANTINED',
            'DATABASE_UNAVAILABLE',
            'KUBERNETES_UNAVAILABLE',
          ),
        },
      },
    },
    async (request, reply) => {
      const stored = readBody(request.body, deps.metrics);
      const caller = callerOf(request);
      const { traceparent, headers } = request;
      const storedAt = storedAtOf(headers);
      const run = await storeRun(deps, { request: stored, caller, traceparent, storedAt });
      deps.metrics.store.acknowledged.inc({ durability: run.persisted ? 'row' : 'object' });
      return reply.code(run.persisted ? 200 : 202).send(makeAnswer(stored, run));
    },
  );
}

function readBody(body: unknown, { store }: Pick<Metrics, 'store'>): StoreRequest {
  const startedAt = performance.now();
  const parsed = parseStoreRequest(body);
  store.stage.observe({ stage: 'normalise' }, (performance.now() - startedAt) / 1000);
  if (!parsed.ok) throw fieldProblem(parsed.errors);
  return parsed.value;
}

function makeAnswer({ phase }: StoreRequest, { id, persisted, phaseRun, session }: StoredRun): StoreAnswer {
  return {
    success: true,
    id,
    phase,
    persisted,
    phaseRun,
    ...(session && { sessionId: session.id, sessionState: session.state }),
  };
}
