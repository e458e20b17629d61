import type { Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import type { FastifyInstance } from 'fastify';

/** Who has sent nothing for so long is not about to. */
const LAST_REQUESTS_MS = 500;

/**
 * Ends connections when the server is told to close, each with an answer: of what is in flight, and of what still arrives in a
 * last moment on those that are open. Left open they would count as idle after it, and the server would wait for their clients,
 * or their time-out. Closed at once they would take along requests that are sent and not yet read, and runners would not know
 * whether these were stored.
 *
 * Connections that have never brought anything are closed after that moment, too. Node does not count them as idle, and
 * watches no time-outs any more once it closes: it would wait until their clients hang up.
 */
export function useDrain(app: FastifyInstance): void {
  const open = new Set<Socket>();
  let closing = false;
  app.server.on('connection', (socket) => {
    open.add(socket);
    socket.once('close', () => open.delete(socket));
    if (closing) closeUnlessUsed(socket);
  });
  app.addHook('preClose', async () => {
    closing = true;
    for (const socket of open) closeUnlessUsed(socket);
    if (open.size > 0) await sleep(LAST_REQUESTS_MS);
  });
  app.addHook('onSend', (_request, reply, payload, done) => {
    if (closing) reply.header('connection', 'close');
    done(null, payload);
  });
}

function closeUnlessUsed(socket: Socket): void {
  setTimeout(() => {
    if (socket.bytesRead === 0) socket.destroy();
  }, LAST_REQUESTS_MS);
}
