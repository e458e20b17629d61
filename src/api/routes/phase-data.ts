import type { FastifyInstance, FastifyRequest } from 'fastify';
import { z } from 'zod';
import {
  type PhaseDataSubject,
  parsePhaseDataRequest,
  parsePhaseDataSubject,
} from '../../domain/phase-data-request.ts';
import type { JsonObject } from '../../domain/run.ts';
import { appendAuditEvent } from '../../store/audit-events.ts';
import type { Connection } from '../../store/database.ts';
import { deleteIssueRuns, type IssueDeletion } from '../../store/issue-deletion.ts';
import { findHoldOfIssue, type LegalHold, shareLegalHolds } from '../../store/legal-holds.ts';
import { actorOf } from '../../store/principal.ts';
import { getRepositoryAccess } from '../../store/repository-access.ts';
import { retrievePhases } from '../../store/retrieve.ts';
import { answerStore, STORE_BODY_LIMIT_BYTES, STORE_PROBLEMS } from '../answer-store.ts';
import { authoriseRepository, requireOwned } from '../authorise.ts';
import { CREDENTIAL_PROBLEMS } from '../credential-problems.ts';
import { resultWithin } from '../deadline.ts';
import { documentOnly } from '../document-only.ts';
import { optionalKeyHeader } from '../idempotency-key.ts';
import { type Answer, type Effect, IDEMPOTENCY_PROBLEMS, runIdempotently } from '../idempotent.ts';
import { ANSWER_MS } from '../in-time.ts';
import {
  phaseDataAnswerSchema,
  phaseDataBodySchema,
  phaseDataPathSchema,
  phaseDataQuerySchema,
} from '../phase-data-schemas.ts';
import { storeAnswerSchema, storeHeadersSchema } from '../phase-schemas.ts';
import { callerOf } from '../plugins/authentication.ts';
import { fieldProblem, makeProblem, PROBLEMS, ProblemError } from '../problem.ts';
import { problemResponses } from '../problem-responses.ts';
import { splicePhaseData } from '../retrieve-answer.ts';
import type { StoreDependencies } from '../store-or-keep.ts';
import { databaseUnavailable } from '../upstream-fault.ts';

const ISSUE_PATH = '/api/v1/phase_data/:repository/:issue_number';

const ROUTE = { tags: ['phases'], security: [{ apiKey: [] }, { bearer: [] }] };
const SUBJECT = { params: phaseDataPathSchema, querystring: phaseDataQuerySchema };

/** The issue-scoped way to the rows that `/api/v1/phases` stores and retrieves; a scan has an issue here and no commit. */
export function registerPhaseData(app: FastifyInstance, deps: StoreDependencies): void {
  registerPost(app, deps);
  registerGet(app, deps);
  registerDelete(app, deps);
}

function registerPost(app: FastifyInstance, deps: StoreDependencies): void {
  app.post(
    '/api/v1/phase_data',
    {
      onRequest: app.authenticate,
      bodyLimit: STORE_BODY_LIMIT_BYTES,
      validatorCompiler: documentOnly,
      schema: {
        ...ROUTE,
        operationId: 'storePhaseData',
        summary: 'Keep what a phase found of an issue',
        description:
          'Older than `/api/v1/phases/store`, and the same but for the names. A scan that is stored here is found here, by its issue. While the database is away, callers that it let in within 15 minutes are answered 202, others 503.',
        headers: storeHeadersSchema,
        body: phaseDataBodySchema,
        response: {
          201: {
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
    (request, reply) =>
      answerStore(deps, request, reply, { parse: parsePhaseDataRequest, persistedStatus: 201 }),
  );
}

function registerGet(app: FastifyInstance, { database, metrics }: StoreDependencies): void {
  app.get(
    ISSUE_PATH,
    {
      onRequest: app.authenticate,
      validatorCompiler: documentOnly,
      schema: {
        ...ROUTE,
        ...SUBJECT,
        operationId: 'retrievePhaseData',
        summary: 'What is known of an issue',
        response: {
          200: {
            description: 'What is known.',
            content: { 'application/json': { schema: phaseDataAnswerSchema } },
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
      const subject = subjectOf(request);
      const { repository } = subject;
      const caller = callerOf(request);
      const reading = retrievePhases(database.pool, caller, { ...subject, scanOfIssue: true });
      const found = await resultWithin(ANSWER_MS, reading);
      if (found === undefined) throw databaseUnavailable();
      authoriseRepository(found, { caller, scope: 'phases:read', repository }, metrics);
      return reply
        .header('cache-control', 'no-store')
        .type('application/json; charset=utf-8')
        .send(splicePhaseData(found, subject));
    },
  );
}

function registerDelete(app: FastifyInstance, deps: StoreDependencies): void {
  app.delete(
    ISSUE_PATH,
    {
      onRequest: app.authenticate,
      validatorCompiler: documentOnly,
      schema: {
        ...ROUTE,
        ...SUBJECT,
        headers: z.object({ 'idempotency-key': optionalKeyHeader }),
        operationId: 'deletePhaseData',
        summary: 'Delete what is stored of an issue',
        description:
          'Its validations and mitigations, and the scans that are known by it. Results on their way from before are not stored any more; later ones are. Sessions, and the scans of commits, stay. Nothing goes while a legal hold is upon the issue (409).',
        response: {
          204: z.null().describe('Nothing is stored of this issue.'),
          ...problemResponses(
            'MALFORMED_JSON',
            ...CREDENTIAL_PROBLEMS,
            'FORGE_ACCOUNT_NOT_VERIFIED',
            'NAMESPACE_FORBIDDEN',
            'LEGAL_HOLD',
            ...IDEMPOTENCY_PROBLEMS,
            'PAYLOAD_TOO_LARGE',
            'UNSUPPORTED_MEDIA_TYPE',
          ),
        },
      },
    },
    (request, reply) => runIdempotently(request, reply, { scope: 'phases:write' }, deletion(request, deps)),
  );
}

function deletion(request: FastifyRequest, { metrics }: StoreDependencies): Effect {
  return async (transaction, customerId) => {
    const subject = subjectOf(request);
    const { repository } = subject;
    const caller = callerOf(request);
    const access = await getRepositoryAccess(transaction, caller, repository);
    requireOwned(access, { caller, scope: 'phases:write', repository }, metrics);
    const issue = { ...subject, customerId, actor: actorOf(caller) };
    await shareLegalHolds(transaction);
    const hold = await findHoldOfIssue(transaction, issue);
    if (hold !== null) return refuseHeld(transaction, issue, { hold, requestId: request.id });
    await deleteIssueRuns(transaction, issue);
    return { status: 204 };
  };
}

/** Answered and not thrown: what is thrown takes with it what was noted. */
async function refuseHeld(
  transaction: Connection,
  { customerId, repository, issueNumber, actor }: IssueDeletion,
  { hold, requestId }: { readonly hold: LegalHold; readonly requestId: string },
): Promise<Answer> {
  const { forge, namespace, name } = repository;
  await appendAuditEvent(transaction, {
    customerId,
    eventType: 'phase_data.deletion_refused',
    metadata: { repository: `${forge}/${namespace}/${name}`, issueNumber, actor, legalHold: hold.id },
  });
  const problem = new ProblemError(
    'LEGAL_HOLD',
    `what is stored of issue ${issueNumber} has been under a legal hold since ${hold.createdAt}, and nothing of it is deleted. ` +
      'Once whoever runs PhaseRun has released it, delete again, with another Idempotency-Key if any',
  );
  return {
    status: PROBLEMS.LEGAL_HOLD.status,
    body: makeProblem(problem, requestId),
    headers: { 'content-type': 'application/problem+json', 'cache-control': 'no-store' },
  };
}

/** @throws ProblemError 400 */
function subjectOf({ params, query }: FastifyRequest): PhaseDataSubject {
  const parsed = parsePhaseDataSubject({ ...(query as JsonObject), ...(params as JsonObject) });
  if (!parsed.ok) throw fieldProblem(parsed.errors);
  return parsed.value;
}
