/**
 * The floor of a retrieve: Fastify with one route, which runs the statement that the product runs and sends what it found,
 * and nothing else. Listens on PORT, asks the Postgres of DATABASE_URL.
 */
import Fastify from 'fastify';
import { z } from 'zod';
import { spliceResults } from '../../src/api/retrieve-answer.ts';
import { parseApiKey } from '../../src/store/api-key.ts';
import { createDatabase } from '../../src/store/database.ts';
import { retrievePhases } from '../../src/store/retrieve.ts';
import { createLogger } from '../../src/telemetry/logger.ts';

/** As many connections as the API has by default. */
const CONNECTIONS = 5;

const environment = z.object({ PORT: z.coerce.number(), DATABASE_URL: z.string() });

const query = z.object({ repo: z.string(), issue: z.coerce.number(), commit: z.string() });

const { PORT, DATABASE_URL } = environment.parse(process.env);
const database = await createDatabase({
  url: DATABASE_URL,
  poolMax: CONNECTIONS,
  applicationName: 'phaserun-bench-route',
  logger: createLogger({ name: 'bare-route', level: 'silent' }),
});
const app = Fastify();
app.get('/readyz', async () => ({ status: (await database.ping()) ? 'ok' : 'away' }));
app.get('/api/v1/phases/retrieve', async (request, reply) => {
  const { repo, issue, commit } = query.parse(request.query);
  const caller = parseApiKey(String(request.headers['x-api-key']));
  if (caller === undefined) return reply.code(401).send();
  const [namespace = '', name = ''] = repo.split('/');
  const found = await retrievePhases(database.pool, caller, {
    repository: { forge: 'github', namespace, name, fullPath: repo },
    issueNumber: issue,
    commitSha: commit,
  });
  return reply.type('application/json; charset=utf-8').send(spliceResults(found, issue));
});
await app.listen({ host: '127.0.0.1', port: PORT });
