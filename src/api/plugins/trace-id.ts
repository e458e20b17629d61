import type { FastifyInstance, FastifyRequest } from 'fastify';

declare module 'fastify' {
  interface FastifyRequest {
    /** What ties together all that an agent does for one purpose; at most 256 characters. */
    traceId: string;
  }
}

/** Characters of a trace id; a longer one is cut. */
export const TRACE_ID_LIMIT = 256;

/**
 * Gives the requests of these routes the trace that the client names in `X-Trace-Id`, any text, else the one of the request's
 * W3C trace context; the answer repeats it. Node refuses headers with line breaks or control characters, so what came in one
 * may leave in one.
 */
export function useTraceIds(scope: FastifyInstance): void {
  scope.decorateRequest('traceId', '');
  scope.addHook('onRequest', (request, reply, done) => {
    request.traceId = givenTraceId(request) ?? request.traceparent.slice(3, 35);
    reply.header('x-trace-id', Buffer.from(request.traceId).toString('latin1'));
    done();
  });
  // Node writes headers and a body that is a string in one go, as UTF-8 and no longer as Latin-1.
  scope.addHook('onSend', ({ traceId }, _reply, payload, done) => {
    const isPlain = typeof payload !== 'string' || ASCII.test(traceId);
    done(null, isPlain ? payload : Buffer.from(payload));
  });
}

const ASCII = /^[ -~]*$/;

/** Node gives the bytes of a header as Latin-1; what clients send is UTF-8. */
function givenTraceId({ headers }: FastifyRequest): string | undefined {
  const given = headers['x-trace-id'];
  if (typeof given !== 'string') return undefined;
  const text = Buffer.from(given, 'latin1').toString().trim();
  return Array.from(text).slice(0, TRACE_ID_LIMIT).join('') || undefined;
}
