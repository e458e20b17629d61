import swagger from '@fastify/swagger';
import swaggerUi from '@fastify/swagger-ui';
import type { FastifyInstance } from 'fastify';
import { jsonSchemaTransform, jsonSchemaTransformObject } from 'fastify-type-provider-zod';

const DESCRIPTION = `Keeps what the scan, validation and mitigation phases of security automation learnt.

A runner stores the result of a phase and any later phase retrieves it. Errors are
\`application/problem+json\` (RFC 9457); branch on their \`code\`.`;

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
    transformObject: (document) => withoutUnusedSchemas(jsonSchemaTransformObject(document)),
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

/** Every named schema is offered in two forms, as input and as output; what no route leads to would only confuse. */
function withoutUnusedSchemas<Document extends { paths?: unknown; components?: { schemas?: object } }>(
  document: Document,
): Document {
  const schemas = new Map<string, unknown>(Object.entries(document.components?.schemas ?? {}));
  const used = new Map<string, unknown>();
  const follow = (part: unknown) => {
    for (const [, name = ''] of JSON.stringify(part).matchAll(/"#\/components\/schemas\/([^"]+)"/g)) {
      if (used.has(name)) continue;
      used.set(name, schemas.get(name));
      follow(schemas.get(name));
    }
  };
  follow(document.paths);
  return { ...document, components: { ...document.components, schemas: Object.fromEntries(used) } };
}
