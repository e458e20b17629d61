import type { FastifyInstance } from 'fastify';

/**
 * Ends the connections of requests that are in flight when the server is told to close, each with its answer. Left open
 * they would count as idle only after it, and the server waits for their clients, or their time-out, before it is closed.
 */
export function useDrain(app: FastifyInstance): void {
  let closing = false;
  app.addHook('preClose', (done) => {
    closing = true;
    done();
  });
  app.addHook('onSend', (_request, reply, payload, done) => {
    if (closing) reply.header('connection', 'close');
    done(null, payload);
  });
}
