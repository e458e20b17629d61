import swagger from '@fastify/swagger';
import swaggerUi from '@fastify/swagger-ui';
import type { FastifyInstance } from 'fastify';
import { jsonSchemaTransform, jsonSchemaTransformObject } from 'fastify-type-provider-zod';
import { completeDocument } from '../openapi-document.ts';

const DESCRIPTION = `Keeps what the scan, validation and mitigation phases of security automation learnt.

A runner stores the result of a phase and any later phase retrieves it. Errors are
\`application/problem+json\` (RFC 9457); branch on their \`code\`.

Bodies are I-JSON (RFC 7493): UTF-8, with no lone surrogate and no number that a double would change; nor may they
hold NUL, or be nested deeper than 64 levels. Members that are not described are ignored.`;

/**
 * Publishes the OpenAPI 3.1 document of every route registered after it, at `/openapi.json`, and a page to read it
 * at `/docs`. Register it before the routes.
 */
export async function useOpenApi(
  app: FastifyInstance,
  { version }: { readonly version: string },
): Promise<void> {
  await app.register(swagger, {
    openapi: {
      openapi: '3.1.0',
      info: {
        title: 'PhaseRun',
        version,
        description: DESCRIPTION,
        license: { name: 'Apache-2.0', identifier: 'Apache-2.0' },
      },
      tags: [
        { name: 'phases', description: 'Results of phases' },
        { name: 'agents', description: 'Sessions, tasks, approvals, audit and profiles' },
        { name: 'webhooks', description: 'Where to be told of what happens' },
        { name: 'health', description: 'Whether this process works' },
      ],
      components: {
        securitySchemes: {
          apiKey: {
            type: 'apiKey',
            in: 'header',
            name: 'x-api-key',
            description: 'An API key, `rsolv_<id>_<secret>`.',
          },
          bearer: {
            type: 'http',
            scheme: 'bearer',
            description:
              'An API key, or a token (JWT) of an OIDC issuer that this server trusts, GitHub Actions among them.',
          },
        },
      },
    },
    transform: jsonSchemaTransform,
    transformObject: (document) => completeDocument(jsonSchemaTransformObject(document)),
  });
  await app.register(swaggerUi, {
    routePrefix: '/docs',
    staticCSP: true,
    // Over plain HTTP the page could not load its own scripts with it.
    transformStaticCSP: (policy) => policy.replace('upgrade-insecure-requests;', ''),
    uiConfig: { deepLinking: true },
  });
  app.get('/openapi.json', { schema: { hide: true } }, () => app.swagger());
}
