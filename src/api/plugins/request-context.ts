import { randomUUID } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { traceIdOf } from '../../telemetry/trace-parent.ts';
import { IDLE_TRACER, type Span, type Tracer } from '../../telemetry/tracer.ts';
import { PROBES } from './http-metrics.ts';

declare module 'fastify' {
  interface FastifyRequest {
    /**
     * W3C Trace Context for what is done for this request: of its own span where spans are sent, else the client's, or a new
     * one that is not sampled.
     */
    traceparent: string;
  }
}

/** What may be repeated in headers and logs without being quoted. */
const REQUEST_ID = /^[\w.:/+=-]{1,128}$/;

/** The id of a request: the client's `x-request-id` when it can be repeated safely, else a new one. */
export function requestIdOf(request: IncomingMessage): string {
  const given = request.headers['x-request-id'];
  return typeof given === 'string' && REQUEST_ID.test(given) ? given : randomUUID();
}

/** Gives every request its id in the answer, and its trace in the logs and at `request.traceparent`. */
export function useRequestContext(app: FastifyInstance, { tracer }: { readonly tracer: Tracer }): void {
  app.decorateRequest('traceparent', '');
  app.addHook('onRequest', (request, reply, done) => {
    const span = beginSpan(tracer, request);
    if (span.isRecording) reply.raw.once('close', () => endSpan(span, reply));
    request.traceparent = span.traceparent;
    request.log = request.log.child({ traceId: traceIdOf(span.traceparent) });
    reply.header('x-request-id', request.id);
    done();
  });
}

/** Probes have no span: there are too many, and nothing happens in them. */
function beginSpan(tracer: Tracer, { method, routeOptions, headers, id }: FastifyRequest): Span {
  const given = headers['traceparent'];
  const parent = typeof given === 'string' ? given : undefined;
  const route = routeOptions.url;
  if (route === undefined) return tracer.begin(method, { parent, kind: 'server' });
  const attributes = { 'http.request.method': method, 'http.route': route, 'phaserun.request_id': id };
  const begun = PROBES.has(route) ? IDLE_TRACER : tracer;
  return begun.begin(`${method} ${route}`, { parent, kind: 'server', attributes });
}

function endSpan(span: Span, { raw, statusCode }: FastifyReply): void {
  if (!raw.writableFinished) return span.end({ error: 'the client hung up' });
  const attributes = { 'http.response.status_code': statusCode };
  span.end(statusCode < 500 ? { attributes } : { attributes, error: String(statusCode) });
}
