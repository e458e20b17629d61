import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { type Access, appendAccesses } from '../../store/audit-accesses.ts';
import type { Database } from '../../store/database.ts';
import type { AccessEvent } from '../../telemetry/families/audit.ts';
import type { Metrics } from '../../telemetry/metrics.ts';
import { AccessLog } from '../access-log.ts';

export interface AuditDependencies {
  readonly database: Pick<Database, 'pool'>;
  readonly metrics: Pick<Metrics, 'audit'>;
  /** Whether successful reads are noted too. */
  readonly auditReads: boolean;
}

/** How often what was noted is written: far from any request. */
const FLUSH_MS = 5_000;
const TARGET_LIMIT = 300;

/**
 * Notes for the audit who was not let in, who was denied something, and who read; what is written is noted by the
 * transactions that write it. It reads what each request came to, gathers what is alike, and writes it every 5 s
 * and when the server closes. While the database is away it is kept.
 */
export function useAudit(app: FastifyInstance, { database, metrics, auditReads }: AuditDependencies): void {
  const log = new AccessLog();
  app.addHook('onResponse', (request, reply, done) => {
    const event = eventOf(request, reply);
    if (event !== undefined && (auditReads || event !== 'data.read')) {
      log.add(makeAccess(event, request, reply));
      metrics.audit.accesses.inc({ event });
    }
    done();
  });

  async function flush(): Promise<void> {
    if (log.isEmpty) return;
    const accesses = log.drain();
    try {
      await appendAccesses(database.pool, accesses);
    } catch (error) {
      for (const access of accesses) log.add(access);
      metrics.audit.writeErrors.inc();
      app.log.warn({ err: error, accesses: accesses.length }, 'accesses were not written to the audit');
    }
  }

  const timer = setInterval(() => void flush(), FLUSH_MS);
  timer.unref();
  app.addHook('onClose', async () => {
    clearInterval(timer);
    await flush();
  });
}

/** What somebody else has is answered as what does not exist: so a 404 may be a denial, and is noted as one. */
function eventOf({ caller, method }: FastifyRequest, { statusCode }: FastifyReply): AccessEvent | undefined {
  if (statusCode === 401) return 'authentication.failed';
  if (statusCode === 403 || (statusCode === 404 && caller !== null)) return 'access.denied';
  const isRead = method === 'GET' || method === 'HEAD';
  return isRead && statusCode < 400 && caller !== null ? 'data.read' : undefined;
}

function makeAccess(event: AccessEvent, request: FastifyRequest, { statusCode }: FastifyReply): Access {
  const { caller, method, problem, ip, url, routeOptions } = request;
  const now = new Date().toISOString();
  return {
    event,
    caller,
    method,
    route: routeOptions.url ?? 'unmatched',
    outcome: problem?.code ?? String(statusCode),
    reason: problem?.auditReason,
    // Of strangers what they wrote is not kept.
    target: event === 'authentication.failed' ? undefined : url.slice(0, TARGET_LIMIT).toWellFormed(),
    address: ip,
    count: 1,
    firstAt: now,
    lastAt: now,
  };
}
