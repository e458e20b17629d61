import type { FastifyInstance } from 'fastify';

/** `GET /`: what this is, for whoever opens the address in a browser. */
export function registerIndex(app: FastifyInstance, { version }: { readonly version: string }): void {
  const index = { name: 'phaserun', version, docs: '/docs', openapi: '/openapi.json', health: '/health' };
  app.get('/', { schema: { hide: true } }, () => index);
}
