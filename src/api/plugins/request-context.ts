import { randomBytes, randomUUID } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import type { FastifyInstance } from 'fastify';

declare module 'fastify' {
  interface FastifyRequest {
    /** W3C Trace Context: the client's own, or a new one that is not sampled. */
    traceparent: string;
  }
}

/** What may be repeated in headers and logs without being quoted. */
const REQUEST_ID = /^[\w.:/+=-]{1,128}$/;

// https://www.w3.org/TR/trace-context/#traceparent-header; ids of zeros alone are invalid.
const TRACEPARENT = /^(?!ff)[0-9a-f]{2}-(?!0{32})([0-9a-f]{32})-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}$/;

/** The id of a request: the client's `x-request-id` when it can be repeated safely, else a new one. */
export function requestIdOf(request: IncomingMessage): string {
  const given = request.headers['x-request-id'];
  return typeof given === 'string' && REQUEST_ID.test(given) ? given : randomUUID();
}

/** Gives every request its id in the answer, and its trace in the logs and at `request.traceparent`. */
export function useRequestContext(app: FastifyInstance): void {
  app.decorateRequest('traceparent', '');
  app.addHook('onRequest', (request, reply, done) => {
    request.traceparent = traceparentOf(request.headers['traceparent']);
    request.log = request.log.child({ traceId: request.traceparent.slice(3, 35) });
    reply.header('x-request-id', request.id);
    done();
  });
}

function traceparentOf(given: string | string[] | undefined): string {
  if (typeof given === 'string' && TRACEPARENT.test(given)) return given;
  return `00-${randomBytes(16).toString('hex')}-${randomBytes(8).toString('hex')}-00`;
}
