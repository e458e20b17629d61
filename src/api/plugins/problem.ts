import { randomUUID } from 'node:crypto';
import { STATUS_CODES } from 'node:http';
import type { Socket } from 'node:net';
import type { ConnectionError, FastifyError, FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { problemOf } from '../../domain/spelled-fields.ts';
import { AllowedMethods } from '../allowed-methods.ts';
import { fieldProblem, makeProblem, PROBLEMS, type ProblemCode, ProblemError } from '../problem.ts';
import { faultOf } from '../upstream-fault.ts';

declare module 'fastify' {
  interface FastifyRequest {
    /** Why it was refused, once it was. */
    problem: ProblemError | null;
  }
}

/** Makes every failure an `application/problem+json`, whoever found it: a route, the router, or the HTTP parser. */
export function useProblems(app: FastifyInstance): void {
  const allowed = new AllowedMethods();
  app.decorateRequest('problem', null);
  app.addHook('onRoute', (route) => allowed.add(route.url, route.method));
  app.addHook('onRequest', (request, _reply, done) => done(problemOfHost(request)));
  // Before credentials and bodies are looked at, which are not what is wrong then.
  app.addHook('onRequest', (request, _reply, done) => done(problemOfAddress(request, allowed)));
  app.server.on('checkExpectation', (_request, response) => {
    const { head, body } = bareProblem('EXPECTATION_FAILED');
    response.writeHead(PROBLEMS.EXPECTATION_FAILED.status, head).end(body);
  });
  app.setErrorHandler<FastifyError | Error>((error, request, reply) => answer(error, request, reply));
  app.setNotFoundHandler((request, reply) => answer(notFound(request, allowed), request, reply));
}

/** Answers for Fastify when no route is chosen yet: an address that cannot be decoded, a parameter too long. */
export function answerFrameworkError(
  error: FastifyError,
  request: FastifyRequest,
  reply: FastifyReply,
): void {
  reply.header('x-request-id', request.id);
  void answer(error, request, reply);
}

/** Answers for Node's HTTP parser, which gives a socket and no request. */
export function answerClientError(error: ConnectionError, socket: Socket): void {
  if (error.code === 'ECONNRESET' || !socket.writable) return void socket.destroy(error);
  const code = CLIENT_ERRORS[error.code] ?? 'BAD_REQUEST';
  const { status } = PROBLEMS[code];
  const { head, body } = bareProblem(code);
  const headers = Object.entries(head).map(([name, value]) => `${name}: ${value}`);
  socket.end([`HTTP/1.1 ${status} ${STATUS_CODES[status]}`, ...headers, '', body].join('\r\n'));
}

/** A problem of a request that Fastify has not seen. */
function bareProblem(code: ProblemCode) {
  const requestId = randomUUID();
  const body = JSON.stringify(makeProblem(new ProblemError(code, PROBLEMS[code].title), requestId));
  const head = {
    'x-request-id': requestId,
    'content-type': 'application/problem+json',
    'content-length': Buffer.byteLength(body),
    connection: 'close',
  };
  return { head, body };
}

/** RFC 9112 §3.2: HTTP/1.1 without Host is refused. */
function problemOfHost({ raw, headers }: FastifyRequest): ProblemError | undefined {
  return raw.httpVersion === '1.1' && headers.host === undefined
    ? new ProblemError('BAD_REQUEST', 'HTTP/1.1 needs a Host header')
    : undefined;
}

const CLIENT_ERRORS: Readonly<Record<string, ProblemCode>> = {
  HPE_HEADER_OVERFLOW: 'HEADERS_TOO_LARGE',
  ERR_HTTP_REQUEST_TIMEOUT: 'REQUEST_TIMEOUT',
};

function answer(error: FastifyError | Error, request: FastifyRequest, reply: FastifyReply): FastifyReply {
  const problem = toProblemError(error, request);
  request.problem = problem;
  if (problem.code === 'INTERNAL_ERROR') request.log.error({ err: error }, 'request failed');
  else if (PROBLEMS[problem.code].status >= 500) request.log.warn({ err: error }, 'request refused for now');
  // Fastify closes the connection when a body is too large. Left open, Node reads the rest of it and drops it,
  // so that a client which sends before it reads gets the answer instead of a reset.
  if (problem.code === 'PAYLOAD_TOO_LARGE') reply.removeHeader('connection');
  return reply
    .code(PROBLEMS[problem.code].status)
    .headers(problem.headers)
    .header('cache-control', 'no-store')
    .type('application/problem+json')
    .send(JSON.stringify(makeProblem(problem, request.id)));
}

/** The problem behind whatever a request failed with. */
export function toProblemError(error: FastifyError | Error, request: FastifyRequest): ProblemError {
  if (error instanceof ProblemError) return error;
  return (
    faultOf(error) ??
    ('code' in error ? frameworkProblem(error, request) : undefined) ??
    new ProblemError('INTERNAL_ERROR', 'The request failed; its requestId finds the reason in the logs', {
      cause: error,
    })
  );
}

/** What Fastify itself refuses; undefined when the fault is ours. */
function frameworkProblem(error: FastifyError, request: FastifyRequest): ProblemError | undefined {
  if (error.validation !== undefined) {
    const errors = error.validation.map(({ instancePath, message = 'is not valid' }) =>
      problemOf(
        instancePath.slice(1).replaceAll('/', '.') || (error.validationContext ?? 'request'),
        message,
      ),
    );
    return fieldProblem(errors, { cause: error });
  }
  const known = FRAMEWORK_PROBLEMS[error.code];
  if (known !== undefined) return new ProblemError(known.code, known.detail(request), { cause: error });
  const isClients = error.statusCode !== undefined && error.statusCode >= 400 && error.statusCode < 500;
  return isClients
    ? new ProblemError('BAD_REQUEST', 'The request cannot be read', { cause: error })
    : undefined;
}

const FRAMEWORK_PROBLEMS: Readonly<
  Record<string, { code: ProblemCode; detail: (request: FastifyRequest) => string }>
> = {
  FST_ERR_CTP_BODY_TOO_LARGE: {
    code: 'PAYLOAD_TOO_LARGE',
    detail: ({ routeOptions }) => `The body is larger than ${routeOptions.bodyLimit} bytes`,
  },
  FST_ERR_CTP_INVALID_MEDIA_TYPE: {
    code: 'UNSUPPORTED_MEDIA_TYPE',
    detail: () => 'Send JSON, with content-type: application/json',
  },
  FST_ERR_BAD_URL: { code: 'BAD_REQUEST', detail: () => 'The address holds a % that starts no escape' },
  FST_ERR_MAX_PARAM_LENGTH: { code: 'URI_TOO_LONG', detail: () => 'A part of the address is too long' },
};

/** A 404 or 405, also where a pattern with the method matches a path that another route names literally. */
function problemOfAddress(request: FastifyRequest, allowed: AllowedMethods): ProblemError | undefined {
  const isPattern = request.routeOptions.url?.includes(':') === true;
  const isRefused = request.is404 || (isPattern && allowed.isLiteral(pathOf(request)));
  return isRefused ? notFound(request, allowed) : undefined;
}

function pathOf({ url }: FastifyRequest): string {
  return url.split('?', 1)[0] ?? '';
}

function notFound(request: FastifyRequest, allowed: AllowedMethods): ProblemError {
  const methods = allowed.find(pathOf(request));
  // Where the method is answered too, a route's own search came to nothing: a file of /docs that is not there.
  if (methods.length === 0 || methods.includes(request.method)) {
    return new ProblemError('NOT_FOUND', 'No route has this address; /docs lists those there are');
  }
  const detail = `This address answers ${methods.join(', ')}, not ${request.method}`;
  return new ProblemError('METHOD_NOT_ALLOWED', detail, { headers: { allow: methods.join(', ') } });
}
