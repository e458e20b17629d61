import type { FastifyInstance } from 'fastify';
import { touchApiKeys } from '../../store/api-keys.ts';
import type { Database } from '../../store/database.ts';

/** How often the last uses of keys are written down: far from any request that uses them. */
const FLUSH_MS = 30_000;

/** Notes which keys were used, and writes it to the database every 30 s and when the server closes. */
export function useKeyUsage(
  app: FastifyInstance,
  { database }: { readonly database: Pick<Database, 'pool'> },
): void {
  const lastUsed = new Map<string, string>();

  app.addHook('onResponse', (request, reply, done) => {
    // Of those that were let in, which alone are keys for sure.
    if (request.caller?.kind === 'key' && reply.statusCode < 400) {
      lastUsed.set(request.caller.keyId, new Date().toISOString());
    }
    done();
  });

  async function flush(): Promise<void> {
    const uses = [...lastUsed].map(([keyId, usedAt]) => ({ keyId, usedAt }));
    lastUsed.clear();
    if (uses.length === 0) return;
    // For people's eyes, and written again at the next use: what is lost now is no harm.
    await touchApiKeys(database.pool, uses).catch((error: unknown) => {
      app.log.warn({ err: error, keys: uses.length }, 'the last uses of keys were not written');
    });
  }

  const timer = setInterval(() => void flush(), FLUSH_MS);
  timer.unref();
  app.addHook('onClose', async () => {
    clearInterval(timer);
    await flush();
  });
}
