import type { FastifyInstance } from 'fastify';
import { registerSessionReads, type SessionReadDependencies } from './session-reads.ts';
import { registerSessionWrites, type SessionWriteDependencies } from './session-writes.ts';

/** `/sessions`: what agents work in, and what runs drive. */
export function registerSessions(
  app: FastifyInstance,
  deps: SessionReadDependencies & SessionWriteDependencies,
): void {
  registerSessionReads(app, deps);
  registerSessionWrites(app, deps);
}
