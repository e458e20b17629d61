import type { FastifyInstance } from 'fastify';
import { parseStoreRequest } from '../../domain/store-request.ts';
import { answerStore, STORE_BODY_LIMIT_BYTES, STORE_PROBLEMS } from '../answer-store.ts';
import { documentOnly } from '../document-only.ts';
import { storeAnswerSchema, storeBodySchema, storeHeadersSchema } from '../phase-schemas.ts';
import { problemResponses } from '../problem-responses.ts';
import type { StoreDependencies } from '../store-or-keep.ts';

/** `POST /api/v1/phases/store`: keeps a result. A 2xx means that it is durable; 200, that `retrieve` sees it. */
export function registerStore(app: FastifyInstance, deps: StoreDependencies): void {
  app.post(
    '/api/v1/phases/store',
    {
      onRequest: app.authenticate,
      bodyLimit: STORE_BODY_LIMIT_BYTES,
      validatorCompiler: documentOnly,
      schema: {
        operationId: 'storePhaseResult',
        summary: 'Keep the result of a phase',
        description:
          'Snake case spellings are accepted too, unknown fields are ignored. The same result again answers the row that is there; another one is a new row, and the newest wins. While the database is away, callers that it let in within 15 minutes are answered 202, others 503.',
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
            description:
              'The result is durable and becomes a row soon; while Kubernetes cannot be reached, once it is back.',
            content: { 'application/json': { schema: storeAnswerSchema } },
          },
          ...problemResponses(...STORE_PROBLEMS),
        },
      },
    },
    (request, reply) => answerStore(deps, request, reply, { parse: parseStoreRequest, persistedStatus: 200 }),
  );
}
