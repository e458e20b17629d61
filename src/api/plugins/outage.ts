import type { FastifyInstance } from 'fastify';
import type { Logger } from 'pino';
import type { KubeClient } from '../../kube/client.ts';
import { PHASE_RUNS, type PhaseRun } from '../../resources/phase-run.ts';
import type { Database } from '../../store/database.ts';
import { drawRunOrder } from '../../store/slots.ts';
import type { Metrics } from '../../telemetry/metrics.ts';
import { DatabaseGate } from '../database-gate.ts';
import { KnownCallers } from '../known-callers.ts';
import { OrderMark } from '../order-mark.ts';
import { PROBLEMS } from '../problem.ts';
import { type BacklogBounds, UnarchivedBacklog } from '../unarchived-backlog.ts';

/** What a process needs to go on storing while the database is away, and learns while it is there. */
export interface Outage {
  readonly gate: DatabaseGate;
  readonly knownCallers: KnownCallers;
  readonly mark: OrderMark;
  readonly backlog: UnarchivedBacklog;
}

export interface OutageDependencies {
  readonly database: Pick<Database, 'pool'>;
  readonly kubernetes: KubeClient;
  readonly metrics: Pick<Metrics, 'store' | 'informer'>;
  readonly unarchived: BacklogBounds;
  readonly logger: Logger;
}

/** Prepares for the database to go away; ends with the server. */
export function useOutage(
  app: FastifyInstance,
  { database, kubernetes, metrics, unarchived, logger }: OutageDependencies,
): Outage {
  const knownCallers = new KnownCallers();
  const mark = new OrderMark();
  const backlog = new UnarchivedBacklog({
    phaseRuns: kubernetes.resource<PhaseRun>(PHASE_RUNS),
    bounds: unarchived,
    metrics,
    logger,
    onPlace: (place) => mark.observe(place),
  });
  const gate = new DatabaseGate({
    // A place drawn is a mark above every row, whoever stored it and without whatever.
    probe: async () => mark.observe(await drawRunOrder(database.pool)),
    onChange(isAway) {
      metrics.store.databaseAway.set(isAway ? 1 : 0);
      logger.warn({ isAway }, isAway ? 'stores go on without the database' : 'stores ask the database again');
      backlog.setTrouble(isAway);
    },
  });
  // Whoever is refused anywhere is known no more.
  app.addHook('onResponse', (request, _reply, done) => {
    const { caller, problem } = request;
    if (caller !== null && problem !== null && PROBLEMS[problem.code].status === 401)
      knownCallers.forgetCaller(caller);
    done();
  });
  app.addHook('onClose', async () => {
    gate.close();
    await backlog.close();
  });
  return { gate, knownCallers, mark, backlog };
}
