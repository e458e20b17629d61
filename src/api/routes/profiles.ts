import type { FastifyInstance } from 'fastify';
import type { ZodTypeProvider } from 'fastify-type-provider-zod';
import { z } from 'zod';
import { findProfile } from '../../store/profiles.ts';
import { name } from '../agent-fields.ts';
import { AGENT_SCHEMA, AGENT_SCOPE, found, readProblems } from '../agent-route.ts';
import { jsonResponse } from '../json-response.ts';
import { type ReadDependencies, readForCustomer } from '../read-for-customer.ts';

const profileSchema = z
  .object({
    role: z.string(),
    capabilities: z.array(z.string()),
    metadata: z.record(z.string(), z.unknown()),
  })
  .meta({ id: 'Profile' });

/** `GET /profiles/{role}`: what agents of a role can do. */
export function registerProfiles(app: FastifyInstance, deps: ReadDependencies): void {
  app.withTypeProvider<ZodTypeProvider>().get(
    '/profiles/:role',
    {
      onRequest: app.authenticate,
      schema: {
        ...AGENT_SCHEMA,
        operationId: 'getProfile',
        summary: 'What agents of a role can do',
        params: z.object({ role: name.meta({ examples: ['engineering'] }) }),
        response: { 200: jsonResponse('The profile.', profileSchema), ...readProblems('NOT_FOUND') },
      },
    },
    (request) =>
      readForCustomer(request, deps, AGENT_SCOPE, async (connection) => {
        const { role, capabilities, metadata } = found(
          await findProfile(connection, request.params.role),
          'profile',
        );
        return { role, capabilities, metadata };
      }),
  );
}
