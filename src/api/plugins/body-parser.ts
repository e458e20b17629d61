import type { FastifyInstance, FastifyRequest } from 'fastify';
import { parseJsonExactly } from '../../domain/json.ts';
import { problemOf } from '../../domain/spelled-fields.ts';
import { fieldProblem, ProblemError } from '../problem.ts';

const JSON_TYPES = ['application/json', /^application\/[\w.-]+\+json(?:;|$)/];

/**
 * Reads bodies: JSON alone, of type `application/json` or `application/…+json`, whatever its charset parameter
 * says in UTF-8 (RFC 8259), uncompressed. What parsing would change is refused, not passed on.
 */
export function useJsonBodies(app: FastifyInstance): void {
  app.removeAllContentTypeParsers();
  for (const type of JSON_TYPES) app.addContentTypeParser(type, { parseAs: 'buffer' }, parseBody);
}

function parseBody(
  request: FastifyRequest,
  body: Buffer,
  done: (error: Error | null, body?: unknown) => void,
): void {
  try {
    // Many clients name a type where there is nothing to be sent.
    const isAbsent = request.method === 'DELETE' && body.length === 0;
    done(null, isAbsent ? undefined : readJson(request, body));
  } catch (error) {
    done(error instanceof Error ? error : new Error('body parser failed', { cause: error }));
  }
}

function readJson({ headers, routeOptions }: FastifyRequest, body: Buffer): unknown {
  const encoding = headers['content-encoding'];
  if (encoding !== undefined && encoding !== 'identity') {
    throw new ProblemError('UNSUPPORTED_MEDIA_TYPE', 'Send the body without content-encoding');
  }
  if (body.length === 0) throw new ProblemError('MALFORMED_JSON', 'The body is empty; send a JSON object');
  const parsed = parseJsonExactly(body, routeOptions.bodyLimit);
  if (parsed.ok) return parsed.value;
  if (parsed.path === '') throw new ProblemError('MALFORMED_JSON', `The body ${parsed.message}`);
  throw fieldProblem([problemOf(parsed.path, parsed.message)]);
}
