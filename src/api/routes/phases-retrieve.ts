import type { FastifyInstance } from 'fastify';
import { parseRetrieveQuery, type Query } from '../../domain/retrieve-query.ts';
import type { Database } from '../../store/database.ts';
import { retrievePhases } from '../../store/retrieve.ts';
import type { Metrics } from '../../telemetry/metrics.ts';
import { authoriseRepository } from '../authorise.ts';
import { CREDENTIAL_PROBLEMS } from '../credential-problems.ts';
import { resultWithin } from '../deadline.ts';
import { documentOnly } from '../document-only.ts';
import { ANSWER_MS } from '../in-time.ts';
import { retrieveAnswerSchema, retrieveQuerySchema } from '../phase-schemas.ts';
import { callerOf } from '../plugins/authentication.ts';
import { fieldProblem } from '../problem.ts';
import { problemResponses } from '../problem-responses.ts';
import { spliceResults } from '../retrieve-answer.ts';
import { databaseUnavailable } from '../upstream-fault.ts';

export interface RetrieveDependencies {
  readonly database: Database;
  readonly metrics: Pick<Metrics, 'store'>;
}

/** `GET /api/v1/phases/retrieve`: the newest results of a repository, in one statement. */
export function registerRetrieve(app: FastifyInstance, { database, metrics }: RetrieveDependencies): void {
  app.get<{ Querystring: Query }>(
    '/api/v1/phases/retrieve',
    {
      onRequest: app.authenticate,
      validatorCompiler: documentOnly,
      schema: {
        operationId: 'retrievePhaseResults',
        summary: 'The newest results of a repository',
        description:
          'Of each phase the newest completed result, else the newest failed one that has data. A phase of which nothing is known is left out.',
        tags: ['phases'],
        security: [{ apiKey: [] }, { bearer: [] }],
        querystring: retrieveQuerySchema,
        response: {
          200: {
            description: 'What is known.',
            content: { 'application/json': { schema: retrieveAnswerSchema } },
          },
          ...problemResponses(
            'VALIDATION_FAILED',
            ...CREDENTIAL_PROBLEMS,
            'FORGE_ACCOUNT_NOT_VERIFIED',
            'NAMESPACE_FORBIDDEN',
            'DATABASE_UNAVAILABLE',
          ),
        },
      },
    },
    async (request, reply) => {
      const query = parseRetrieveQuery(request.query);
      if (!query.ok) throw fieldProblem(query.errors);
      const caller = callerOf(request);
      const reading = retrievePhases(database.pool, caller, query.value);
      const found = await resultWithin(ANSWER_MS, reading);
      if (found === undefined) throw databaseUnavailable();
      authoriseRepository(
        found,
        { caller, scope: 'phases:read', repository: query.value.repository },
        metrics,
      );
      return reply
        .header('cache-control', 'no-store')
        .type('application/json; charset=utf-8')
        .send(spliceResults(found, query.value.issueNumber));
    },
  );
}
